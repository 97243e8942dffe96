package main

import (
	"fmt"
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
			p.add("const %s %s = %s", name, p.text(object.Type()), object.Val().ExactString())
		case *types.Var:
			p.add("var %s %s", name, p.text(object.Type()))
		case *types.Func:
			p.add("func %s%s", name, p.signature(object.Signature()))
		case *types.TypeName:
			if object.IsAlias() {
				p.add("%s", types.ObjectString(object, types.RelativeTo(pkg)))
			} else {
				p.declare(object.Type().(*types.Named))
			}
		}
	}
	slices.Sort(p.lines)
	return p.lines
}

func (p *printer) add(format string, args ...any) {
	p.lines = append(p.lines, p.path+", "+fmt.Sprintf(format, args...))
}

func (p *printer) declare(named *types.Named) {
	underlying, isStruct := named.Underlying().(*types.Struct)
	if !isStruct {
		p.add("type %s %s", p.text(named), p.text(named.Underlying())) // of an interface, whole: one more method breaks those who implement it
	} else {
		p.fields(named, underlying)
	}
	if !types.IsInterface(named) {
		p.methods(named)
	}
}

// fields adds a line for each exported field. That the values of a struct can be
// compared is a part of its API only where a caller has them as values at all, which
// is taken to be so if there is anything in them to see.
func (p *printer) fields(named *types.Named, s *types.Struct) {
	kind := "struct"
	for field := range s.Fields() {
		if !field.Exported() {
			continue
		}
		if types.Comparable(named) {
			kind = "comparable struct"
		}
		label := field.Name()
		if field.Embedded() {
			label = "embedded"
		}
		p.add("type %s struct, %s %s", named.Obj().Name(), label, p.text(field.Type()))
	}
	p.add("type %s %s", p.text(named), kind)
}

// methods adds a line for each exported method, promoted ones too.
func (p *printer) methods(named *types.Named) {
	values := types.NewMethodSet(named)
	for selection := range types.NewMethodSet(types.NewPointer(named)).Methods() {
		method := selection.Obj()
		if !method.Exported() {
			continue
		}
		receiver := types.Type(named)
		if values.Lookup(p.pkg, method.Name()) == nil {
			receiver = types.NewPointer(named)
		}
		p.add("method (%s) %s%s", p.text(receiver), method.Name(), p.signature(selection.Type().(*types.Signature)))
	}
}

func (p *printer) text(t types.Type) string {
	return types.TypeString(nameless(t), types.RelativeTo(p.pkg))
}

func (p *printer) signature(s *types.Signature) string {
	var params []string
	for param := range s.TypeParams().TypeParams() {
		params = append(params, param.Obj().Name()+" "+p.text(param.Constraint()))
	}
	generic := ""
	if len(params) > 0 {
		generic = "[" + strings.Join(params, ", ") + "]"
	}
	return generic + strings.TrimPrefix(p.text(s), "func")
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
