package main

import (
	"fmt"
	"go/constant"
	"go/types"
	"slices"
	"strings"
)

// A printer writes the lines of one package.
type printer struct {
	path  string
	pkg   *types.Package
	lines []string
}

// lines returns a line for each exported symbol, method and field of the package,
// under the given path. Names of parameters do not show, as no caller can use them.
func lines(path string, pkg *types.Package) []string {
	p := &printer{path: path, pkg: pkg}
	scope := pkg.Scope()
	for _, name := range scope.Names() {
		object := scope.Lookup(name)
		if !object.Exported() {
			continue
		}
		switch object := object.(type) {
		case *types.Const:
			p.add("const %s %s = %s", name, p.text(object.Type()), value(object.Val()))
		case *types.Var:
			p.add("var %s %s", name, p.text(object.Type()))
		case *types.Func:
			p.add("func %s%s", name, p.signature(object.Signature()))
		case *types.TypeName:
			p.declare(object)
		}
	}
	slices.Sort(p.lines)
	return p.lines
}

func (p *printer) add(format string, args ...any) {
	p.lines = append(p.lines, p.path+", "+fmt.Sprintf(format, args...))
}

func (p *printer) declare(object *types.TypeName) {
	if alias, ok := object.Type().(*types.Alias); ok {
		p.add("type %s%s = %s", object.Name(), p.parameters(alias.TypeParams()), p.text(alias.Rhs()))
		return
	}
	named, ok := object.Type().(*types.Named)
	if !ok { // an alias of a basic type
		p.add("type %s = %s", object.Name(), p.text(object.Type()))
		return
	}
	name := object.Name() + p.parameters(named.TypeParams())
	switch underlying := named.Underlying().(type) {
	case *types.Struct:
		p.fields(object.Name(), name, named, underlying)
	case *types.Interface:
		p.add("type %s %s", name, p.text(underlying)) // whole: one more method breaks those who implement it
		return
	default:
		p.add("type %s %s", name, p.text(underlying))
	}
	p.methods(named)
}

// fields adds a line for each exported field. That the values of a struct can be
// compared is a part of its API only where a caller has them as values at all, which
// is taken to be so if there is anything in them to see.
func (p *printer) fields(name, generic string, named *types.Named, s *types.Struct) {
	exported := 0
	for field := range s.Fields() {
		if !field.Exported() {
			continue
		}
		exported++
		if field.Embedded() {
			p.add("type %s struct, embedded %s", name, p.text(field.Type()))
		} else {
			p.add("type %s struct, %s %s", name, field.Name(), p.text(field.Type()))
		}
	}
	if exported > 0 && types.Comparable(named) {
		p.add("type %s comparable struct", generic)
	} else {
		p.add("type %s struct", generic)
	}
}

// methods adds a line for each exported method, promoted ones too.
func (p *printer) methods(named *types.Named) {
	values := types.NewMethodSet(named)
	for selection := range types.NewMethodSet(types.NewPointer(named)).Methods() {
		method := selection.Obj()
		if !method.Exported() {
			continue
		}
		receiver := "*" + receiver(named)
		if values.Lookup(p.pkg, method.Name()) != nil {
			receiver = receiver[1:]
		}
		p.add("method (%s) %s%s", receiver, method.Name(), p.signature(selection.Type().(*types.Signature)))
	}
}

// receiver is the type as a method's declaration names it.
func receiver(named *types.Named) string {
	var params []string
	for param := range named.TypeParams().TypeParams() {
		params = append(params, param.Obj().Name())
	}
	if len(params) == 0 {
		return named.Obj().Name()
	}
	return named.Obj().Name() + "[" + strings.Join(params, ", ") + "]"
}

func (p *printer) text(t types.Type) string {
	return types.TypeString(nameless(t), types.RelativeTo(p.pkg))
}

func (p *printer) signature(s *types.Signature) string {
	return p.parameters(s.TypeParams()) + strings.TrimPrefix(p.text(s), "func")
}

func (p *printer) parameters(list *types.TypeParamList) string {
	if list.Len() == 0 {
		return ""
	}
	var params []string
	for param := range list.TypeParams() {
		params = append(params, param.Obj().Name()+" "+p.text(param.Constraint()))
	}
	return "[" + strings.Join(params, ", ") + "]"
}

// nameless returns a type without the names of parameters and without the type
// parameters of a function, which stand before its signature.
func nameless(t types.Type) types.Type {
	switch t := t.(type) {
	case *types.Signature:
		return types.NewSignatureType(nil, nil, nil, namelessTuple(t.Params()), namelessTuple(t.Results()), t.Variadic())
	case *types.Pointer:
		return types.NewPointer(nameless(t.Elem()))
	case *types.Slice:
		return types.NewSlice(nameless(t.Elem()))
	case *types.Map:
		return types.NewMap(nameless(t.Key()), nameless(t.Elem()))
	case *types.Interface:
		var methods []*types.Func
		for method := range t.ExplicitMethods() {
			methods = append(methods, types.NewFunc(method.Pos(), method.Pkg(), method.Name(), nameless(method.Signature()).(*types.Signature)))
		}
		return types.NewInterfaceType(methods, slices.Collect(t.EmbeddedTypes())).Complete()
	default:
		return t
	}
}

func namelessTuple(tuple *types.Tuple) *types.Tuple {
	var vars []*types.Var
	for v := range tuple.Variables() {
		vars = append(vars, types.NewParam(v.Pos(), v.Pkg(), "", nameless(v.Type())))
	}
	return types.NewTuple(vars...)
}

func value(v constant.Value) string {
	if v.Kind() == constant.Float { // String shortens it
		return v.ExactString()
	}
	if v.Kind() == constant.String {
		return fmt.Sprintf("%q", constant.StringVal(v))
	}
	return v.String()
}
