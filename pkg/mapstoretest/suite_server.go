package mapstoretest

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"text/template"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	applyv1 "k8s.io/client-go/applyconfigurations/core/v1"
)

// What servers do is in transcripts: a property begins with # and its name, and then has a
// request a line, which [play.do] makes. Behind -> is the error that it ends in, or a part of
// what it brings, in which null is what must not be there and "!x" anything but x. Behind as
// is a name for the object. Lines are text templates that know the objects by these names.
//
//go:embed conformance/*.txt
var transcripts embed.FS

func serverProperties() (all []property) {
	paths, _ := fs.Glob(transcripts, "conformance/*.txt") // the pattern is well-formed
	for _, path := range paths {
		text, _ := fs.ReadFile(transcripts, path) // it is there
		for _, part := range strings.Split("\n"+string(text), "\n# ")[1:] {
			name, steps, _ := strings.Cut(part, "\n")
			all = append(all, property{name, func(s *suite) {
				p := &play{suite: s, objects: make(map[string]*corev1.ConfigMap)}
				for line := range strings.Lines(steps) {
					p.step(strings.TrimSpace(line))
				}
			}})
		}
	}
	return all
}

// A play is a property of which some steps have been made.
type play struct {
	*suite
	objects map[string]*corev1.ConfigMap
	watch   apiwatch.Interface
}

// fails are the errors that a transcript can expect.
var fails = map[string]func(error) bool{
	"conflict":            apierrors.IsConflict,
	"exists":              apierrors.IsAlreadyExists,
	"invalid":             apierrors.IsInvalid,
	"not found":           apierrors.IsNotFound,
	"too large a request": apierrors.IsRequestEntityTooLargeError,
	"too large for etcd":  func(err error) bool { return err != nil && strings.Contains(err.Error(), "too large") },
}

func (p *play) step(line string) {
	p.Helper()
	if line == "" {
		return
	}
	shown := line
	step, want, _ := strings.Cut(p.expand(line), " -> ")
	step, name, _ := strings.Cut(step, " as ")
	object, err := p.do(step)
	fail := fails[want]
	switch {
	case want == "offered or invalid":
		if apierrors.IsInvalid(err) {
			p.Skip("the server does not offer it, and a store does not ask for it")
		}
	case fail != nil:
		if !fail(err) {
			p.Errorf("%.200s: the error is %.300v", shown, err)
		}
		return
	}
	if err != nil {
		p.Fatalf("%.200s: %.300v", shown, err)
	}
	if strings.HasPrefix(want, "{") && !contains(decoded(p.suite, encoded(p.suite, object)), decoded(p.suite, want)) {
		p.Errorf("%.200s: got %.1000s", shown, encoded(p.suite, object))
	}
	p.objects[name] = object
}

// expand executes a line as a template.
func (p *play) expand(line string) string {
	p.Helper()
	var expanded strings.Builder
	t, err := template.New("").Funcs(template.FuncMap{
		"repeat": strings.Repeat,
		"keys": func(n int) string { // so many of the longest there are
			keys := make(map[string]string)
			for i := range n {
				keys[fmt.Sprintf("%0253d", i)] = ""
			}
			return encoded(p.suite, keys)
		},
	}).Parse(line)
	if err == nil {
		err = t.Execute(&expanded, p.objects)
	}
	if err != nil {
		p.Fatal(err)
	}
	return expanded.String()
}

// do makes a request:
//
//	create OBJECT             of the suite's map, if it has no other name
//	try OBJECT                creates one of any name, and deletes it again
//	update [NAME] CHANGE      of an object as it was, to which a merge patch is applied first
//	dry-run NAME CHANGE       likewise
//	merge PATCH, strategic PATCH
//	apply MANAGER, force MANAGER, and then annotations
//	get, delete [PRECONDITIONS], list OPTIONS, watch OPTIONS
//	event TYPE                waits for the next one of the watch
//	order NAME NAME           the second is of a later version, or of the same after order-or-same
func (p *play) do(step string) (*corev1.ConfigMap, error) {
	p.Helper()
	verb, rest, _ := strings.Cut(step, " ")
	word, body, _ := strings.Cut(rest, " ")
	if strings.HasPrefix(rest, "{") {
		word, body = "", rest
	}
	ctx := p.within()
	switch verb {
	case "create", "try":
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: suiteMap}}
		if verb == "try" {
			object.ObjectMeta = metav1.ObjectMeta{GenerateName: "try-"}
		}
		decode(p.suite, body, object)
		created, err := p.maps.Create(ctx, object, metav1.CreateOptions{})
		if verb == "try" && err == nil {
			err = p.maps.Delete(ctx, created.Name, metav1.DeleteOptions{})
		}
		return created, err
	case "update", "dry-run":
		base := map[string]any{"metadata": map[string]any{"name": suiteMap}}
		if word != "" {
			base = decoded(p.suite, encoded(p.suite, p.objects[word]))
		}
		if body != "" {
			merge(base, decoded(p.suite, body))
		}
		object, options := &corev1.ConfigMap{}, metav1.UpdateOptions{}
		decode(p.suite, encoded(p.suite, base), object)
		if verb == "dry-run" {
			options.DryRun = []string{metav1.DryRunAll}
		}
		return p.maps.Update(ctx, object, options)
	case "merge":
		return p.maps.Patch(ctx, suiteMap, types.MergePatchType, []byte(body), metav1.PatchOptions{})
	case "strategic":
		return p.maps.Patch(ctx, suiteMap, types.StrategicMergePatchType, []byte(body), metav1.PatchOptions{})
	case "apply", "force":
		annotations := make(map[string]string)
		decode(p.suite, body, &annotations)
		return p.maps.Apply(ctx, applyv1.ConfigMap(suiteMap, p.cluster.Namespace).WithAnnotations(annotations),
			metav1.ApplyOptions{FieldManager: word, Force: verb == "force"})
	case "get":
		return p.maps.Get(ctx, suiteMap, metav1.GetOptions{})
	case "delete":
		var options metav1.DeleteOptions
		if body != "" {
			decode(p.suite, body, &options.Preconditions)
		}
		return nil, p.maps.Delete(ctx, suiteMap, options)
	case "list", "watch":
		var options metav1.ListOptions
		decode(p.suite, body, &options)
		if verb == "watch" {
			var err error
			if p.watch, err = p.maps.Watch(ctx, options); err == nil {
				p.Cleanup(p.watch.Stop)
			}
			return nil, err
		}
		list, err := p.maps.List(ctx, options)
		if err == nil && len(list.Items) != 1 {
			err = fmt.Errorf("%d items", len(list.Items))
		}
		if err != nil {
			return nil, err
		}
		list.Items[0].ResourceVersion = list.ResourceVersion
		return &list.Items[0], nil
	case "event":
		select {
		case event := <-p.watch.ResultChan():
			object, ok := event.Object.(*corev1.ConfigMap)
			if !ok || string(event.Type) != word && string(event.Type) != rest {
				return nil, fmt.Errorf("%s %v", event.Type, event.Object)
			}
			return object, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	case "order", "order-or-same":
		order, err := resourceversion.CompareResourceVersion(p.objects[word].ResourceVersion, p.objects[body].ResourceVersion)
		if err == nil && order >= 0 && (verb == "order" || order > 0) {
			err = fmt.Errorf("version %s, and then %s", p.objects[word].ResourceVersion, p.objects[body].ResourceVersion)
		}
		return nil, err
	}
	return nil, fmt.Errorf("%q is no request", verb)
}

var encodings = property{"JSON and protobuf carry the same", func(s *suite) {
	for _, content := range []string{"application/json", "application/vnd.kubernetes.protobuf"} {
		config := s.config()
		config.ContentType, config.AcceptContentTypes = content, content+",application/json"
		s.maps = newClient(s.T, config).CoreV1().ConfigMaps(s.cluster.Namespace)
		p := &play{suite: s, objects: make(map[string]*corev1.ConfigMap)}
		for _, line := range []string{
			`create {"data":{"k":"ü"}} as before`,
			`watch {"resourceVersion":"{{.before.ResourceVersion}}"}`,
			`update before {"data":{"k":"ö"}}`,
			`event MODIFIED -> {"data":{"k":"ö"}}`,
			`delete`,
		} {
			p.step(line)
		}
	}
}}

// merge applies a merge patch.
func merge(into, patch map[string]any) {
	for key, value := range patch {
		inner, isMap := value.(map[string]any)
		switch {
		case value == nil:
			delete(into, key)
		case isMap:
			old, _ := into[key].(map[string]any)
			if old == nil {
				old = make(map[string]any)
			}
			merge(old, inner)
			into[key] = old
		default:
			into[key] = value
		}
	}
}

// contains reports whether got has what is wanted.
func contains(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		entries, _ := got.(map[string]any)
		for key, value := range want {
			if !contains(entries[key], value) {
				return false
			}
		}
		return true
	case []any: // each is somewhere
		all, _ := got.([]any)
		for _, value := range want {
			found := false
			for _, one := range all {
				found = found || contains(one, value)
			}
			if !found {
				return false
			}
		}
		return true
	case string:
		if other, ok := strings.CutPrefix(want, "!"); ok {
			return got != nil && got != other
		}
	}
	return reflect.DeepEqual(got, want)
}

func decode(s *suite, text string, into any) {
	s.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		s.Fatalf("%.200s: %v", text, err)
	}
}

func decoded(s *suite, text string) (object map[string]any) {
	s.Helper()
	decode(s, text, &object)
	return object
}

func encoded(s *suite, object any) string {
	s.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		s.Fatal(err)
	}
	return string(text)
}
