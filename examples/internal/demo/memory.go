package demo

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
)

// command is the API server in memory, in a process of its own, so that it can be killed.
const command = "github.com/unrolled/mapstore/v2/pkg/mapstoretest/apiserver"

// A process is the API server in memory. What was written outlives a kill, as it would in
// etcd.
type process struct {
	dir     string // has the binary, the kubeconfig and the data
	address string
	current *exec.Cmd
	input   io.Closer // the process ends with it, so that it never outlives this one
}

func startInMemory(ctx context.Context, console *Console) (c *Cluster, err error) {
	console.Say("Starting an API server in memory for this demo alone ...")
	p := &process{address: "127.0.0.1:0"}
	if p.dir, err = os.MkdirTemp("", "mapstore-demo-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Stop())
		}
	}()
	build := exec.CommandContext(ctx, "go", "build", "-o", p.path("apiserver"), command)
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building %s: %w\n%s", command, err, output)
	}
	if err := p.Restart(ctx); err != nil {
		return nil, err
	}
	if err := cmp.Or(os.Setenv(configPath, p.path("kubeconfig")), os.Unsetenv("NAMESPACE")); err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", p.path("kubeconfig"))
	if err != nil {
		return nil, err
	}
	return &Cluster{Config: config, Namespace: metav1.NamespaceDefault, APIServer: p, stop: p.Stop}, nil
}

// Restart starts the process, and returns once it is ready.
func (p *process) Restart(context.Context) error {
	cmd := exec.Command(p.path("apiserver"), "-attached",
		"-address="+p.address, "-kubeconfig="+p.path("kubeconfig"), "-data="+p.path("data"))
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.current, p.input = cmd, input
	ready, err := bufio.NewReader(output).ReadString('\n')
	_, at, _ := strings.Cut(strings.TrimSpace(ready), "http://")
	if _, parseErr := url.Parse("http://" + at); err != nil || at == "" || parseErr != nil {
		return errors.Join(fmt.Errorf("the API server in memory has said %q: %w", ready, err), p.Kill())
	}
	p.address = at // it comes back where it was
	return nil
}

// Kill ends the process by SIGKILL, and returns once it is gone.
func (p *process) Kill() error {
	if p.current == nil {
		return nil
	}
	err := p.current.Process.Kill()
	_ = p.current.Wait() // it says that it was killed
	p.current = nil
	return errors.Join(err, ignoreClosed(p.input.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) { // by Wait
		return nil
	}
	return err
}

// Stop ends the process, and removes its folder.
func (p *process) Stop() error { return errors.Join(p.Kill(), os.RemoveAll(p.dir)) }

func (p *process) path(name string) string { return filepath.Join(p.dir, name) }
