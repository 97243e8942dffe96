package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// listing returns the lines of all public packages, sorted: those of the root module
// and of the nested modules outside of hack and examples, which are not for users.
// The platform is always the same, so that the listing is.
func listing(root string) ([]string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	modules, err := publicModules(root)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, dir := range modules {
		loaded, err := packages.Load(&packages.Config{
			Mode: packages.NeedName | packages.NeedTypes | packages.NeedModule,
			Dir:  dir,
			Env:  append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly", "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0"),
		}, "./...")
		if err != nil {
			return nil, fmt.Errorf("module %s: %w", dir, err)
		}
		for _, pkg := range loaded {
			if len(pkg.Errors) > 0 {
				return nil, fmt.Errorf("package %s: %w", pkg.PkgPath, pkg.Errors[0])
			}
			if isPublic(pkg.PkgPath, pkg.Name) {
				all = append(all, lines(shortPath(root, pkg), pkg.Types)...)
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no exported symbol found")
	}
	slices.Sort(all)
	return all, nil
}

// shortPath is the folder of a package in the repository.
func shortPath(root string, pkg *packages.Package) string {
	module, err := filepath.Rel(root, pkg.Module.Dir)
	if err != nil {
		return pkg.PkgPath
	}
	return filepath.ToSlash(filepath.Join(module, strings.TrimPrefix(pkg.PkgPath, pkg.Module.Path)))
}

func isPublic(path, name string) bool {
	return name != "main" && !slices.Contains(strings.Split(path, "/"), "internal")
}

func publicModules(root string) ([]string, error) {
	var modules []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && slices.Contains([]string{"hack", "examples", "testdata"}, entry.Name()),
			entry.IsDir() && path != root && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case entry.Name() == "go.mod":
			modules = append(modules, filepath.Dir(path))
		}
		return nil
	})
	return modules, err
}
