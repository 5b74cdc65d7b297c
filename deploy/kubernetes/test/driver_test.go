package kubernetes_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// root is the repository.
const root = "../../.."

// object is one of Kubernetes', with its type.
type object interface {
	runtime.Object
	metav1.Object
}

// manifests are what an overlay installs.
type manifests struct {
	yaml    []byte
	objects []object
}

// types are all that the manifests may use.
var types = sync.OnceValues(func() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, autoscalingv2.AddToScheme, batchv1.AddToScheme, corev1.AddToScheme, monitoringv1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
})

// build makes an overlay's manifests as `kubectl apply -k` does. A field that the type does not have is an error.
func build(t *testing.T, overlay string) manifests {
	t.Helper()
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join("..", overlay))
	require.NoError(t, err)
	scheme, err := types()
	require.NoError(t, err)
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	var m manifests
	for _, r := range rendered.Resources() {
		text, err := r.AsYAML()
		require.NoError(t, err)
		decoded, _, err := decoder.Decode(text, nil, nil)
		require.NoError(t, err, "%s %s", r.GetKind(), r.GetName())
		m.objects = append(m.objects, decoded.(object))
	}
	m.yaml, err = rendered.AsYaml()
	require.NoError(t, err)
	return m
}

// all returns the objects of one type.
func all[T object](m manifests) (list []T) {
	for _, o := range m.objects {
		if o, ok := o.(T); ok {
			list = append(list, o)
		}
	}
	return list
}

// one returns the object of a type that has the name. What kustomize adds to names of ConfigMaps and Jobs does not count.
func one[T object](t *testing.T, m manifests, name string) T {
	t.Helper()
	for _, o := range all[T](m) {
		if o.GetName() == name || strings.HasPrefix(o.GetName(), name+"-") {
			return o
		}
	}
	var none T
	require.Failf(t, "not there", "%T %s", none, name)
	return none
}

// workload is an object that makes pods.
type workload struct {
	name string
	pod  corev1.PodTemplateSpec
}

func workloads(m manifests) (list []workload) {
	for _, o := range m.objects {
		switch o := o.(type) {
		case *appsv1.Deployment:
			list = append(list, workload{o.Name, o.Spec.Template})
		case *batchv1.Job:
			list = append(list, workload{o.Name, o.Spec.Template})
		case *batchv1.CronJob:
			list = append(list, workload{o.Name, o.Spec.JobTemplate.Spec.Template})
		}
	}
	return list
}

// programs is where the programs of both images are built.
var programs string

func TestMain(m *testing.M) {
	var err error
	if programs, err = os.MkdirTemp("", "payrelay-kubernetes"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(programs)
	os.Exit(code)
}

// program builds the program of an image.
func program(image string, tags ...string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		path := filepath.Join(programs, image)
		build := exec.Command("go", append(append([]string{"build", "-o", path}, tags...), "./cmd/server")...)
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build the program of %s: %w: %s", image, err, out)
		}
		return path, nil
	})
}

var (
	production  = program("production", "-tags", "production")
	development = program("development")
)

// run runs a program with nothing but the environment, and returns what it wrote on its two outputs.
func run(t *testing.T, image func() (string, error), environ []string, args ...string) (out, log string) {
	t.Helper()
	path, err := image()
	require.NoError(t, err)
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(environ, "HOME=/nonexistent"), &stdout, &stderr
	_ = cmd.Run() // its words are judged
	return stdout.String(), stderr.String()
}

// text returns a file of the repository.
func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return string(b)
}

// found returns what the pattern's group matched, of every match.
func found(s, pattern string) (list []string) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(s, -1) {
		list = append(list, m[1])
	}
	return list
}
