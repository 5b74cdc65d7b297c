package kubernetes_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// selected returns the workloads whose pods a selector finds.
func selected(t *testing.T, m manifests, s *metav1.LabelSelector) (list []workload) {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(s)
	require.NoError(t, err)
	for _, w := range workloads(m) {
		if selector.Matches(labels.Set(w.pod.Labels)) {
			list = append(list, w)
		}
	}
	return list
}

// port returns the number of a container's port by its name.
func (w workload) port(name string) (int32, bool) {
	for _, c := range w.pod.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == name {
				return p.ContainerPort, true
			}
		}
	}
	return 0, false
}

// Whatever selects pods selects those of one workload, and the ports that it names are there.
func TestSelectorsAndPortsAgree(t *testing.T) {
	t.Parallel()
	m := build(t, "production")
	finds := func(what string, s *metav1.LabelSelector, ports ...string) {
		t.Helper()
		list := selected(t, m, s)
		require.Len(t, list, 1, what)
		for _, p := range ports {
			_, there := list[0].port(p)
			require.True(t, there, "%s: %s has no port %s", what, list[0].name, p)
		}
	}
	for _, s := range all[*corev1.Service](m) {
		for _, p := range s.Spec.Ports {
			require.NotEqual(t, "admin", p.TargetPort.String(), "the admin port is never published")
			finds("service "+s.Name, &metav1.LabelSelector{MatchLabels: s.Spec.Selector}, p.TargetPort.String())
		}
	}
	for _, p := range all[*policyv1.PodDisruptionBudget](m) {
		finds("disruption budget "+p.Name, p.Spec.Selector)
	}
	for _, p := range all[*monitoringv1.PodMonitor](m) {
		finds("monitor "+p.Name, &p.Spec.Selector, *p.Spec.PodMetricsEndpoints[0].Port)
		pod := selected(t, m, &p.Spec.Selector)[0].pod
		for _, job := range found(text(t, "deploy/prometheus/rules/payrelay.yml"), `job="([^"]*)"`) {
			require.Equal(t, job, pod.Labels[p.Spec.JobLabel], "the job that alert rules ask for")
		}
	}
	for _, d := range all[*appsv1.Deployment](m) {
		finds("deployment "+d.Name, d.Spec.Selector)
		for _, s := range d.Spec.Template.Spec.TopologySpreadConstraints {
			finds("spread of "+d.Name, s.LabelSelector)
		}
	}
	for _, w := range workloads(m) {
		for _, c := range w.pod.Spec.Containers {
			for _, p := range []*corev1.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
				if p != nil && p.HTTPGet != nil {
					require.Equal(t, "admin", p.HTTPGet.Port.String(), w.name)
				}
			}
		}
	}
}

// The image's user and ports are those that the manifests say.
func TestTheImageAgrees(t *testing.T) {
	t.Parallel()
	m := build(t, "production")
	image := text(t, "Dockerfile")
	require.Contains(t, image, "gcr.io/distroless/static:nonroot", "whose user nonroot is 65532")
	require.Contains(t, image, "USER nonroot:nonroot")
	pod := one[*appsv1.Deployment](t, m, "payrelay").Spec.Template.Spec
	require.EqualValues(t, 65532, *pod.SecurityContext.RunAsUser)
	var exposed []string
	for _, p := range pod.Containers[0].Ports {
		exposed = append(exposed, strconv.Itoa(int(p.ContainerPort)))
	}
	require.Equal(t, exposed, strings.Fields(found(image, `(?m)^EXPOSE (.*)$`)[0]))
	for _, w := range workloads(m) {
		if w.name != "pgbouncer" {
			require.Equal(t, pod.Containers[0].Image, w.pod.Spec.Containers[0].Image, "%s runs the version of the service", w.name)
		}
	}
}

// environment returns what a container gets, as NAME to value.
func environment(t *testing.T, m manifests, c corev1.Container) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, from := range c.EnvFrom {
		maps.Copy(env, one[*corev1.ConfigMap](t, m, from.ConfigMapRef.Name).Data)
	}
	for _, e := range c.Env {
		env[e.Name] = e.Value
	}
	return env
}

// Every setting is one that the service has, and it starts with them: all that it misses is the database.
func TestTheServiceTakesTheSettings(t *testing.T) {
	t.Parallel()
	m := build(t, "production")
	help, _ := run(t, production, nil, "run", "--help")
	keyset, _ := run(t, production, nil, "keyset", "new")
	known := append(found(help, `(?m)^ *([A-Z][A-Z_]+)`), "GOMEMLIMIT")
	secrets := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(secrets, "secret-keyset"), []byte(keyset), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(secrets, "database-url"), []byte("postgres://payrelay_app@127.0.0.1:1/payrelay"), 0o600))
	for _, w := range workloads(m) {
		if w.name == "pgbouncer" {
			continue
		}
		c := w.pod.Spec.Containers[0]
		var environ []string
		for name, value := range environment(t, m, c) {
			require.Contains(t, known, strings.TrimSuffix(name, "_FILE"), w.name)
			if rest, ok := strings.CutPrefix(value, c.VolumeMounts[0].MountPath+"/"); ok {
				value = filepath.Join(secrets, rest)
			}
			environ = append(environ, name+"="+value)
		}
		_, said := run(t, production, environ, c.Args...)
		require.Contains(t, said, "127.0.0.1:1", "%s reached for the database", w.name)
		require.NotContains(t, said, "is not", w.name)
	}
}

// What is for trying out begins as the development image's program can: all that it misses is its Postgres.
func TestTheTrialTakesItsArguments(t *testing.T) {
	t.Parallel()
	c := workloads(build(t, "trial"))[0].pod.Spec.Containers[0]
	require.Equal(t, "postgres://payrelay@127.0.0.1:5432/payrelay?sslmode=disable", c.Env[0].Value)
	args := append(slices.Clone(c.Args), "--data="+t.TempDir())
	_, said := run(t, development, []string{"DATABASE_URL=" + strings.ReplaceAll(c.Env[0].Value, "5432", "1")}, args...)
	require.Contains(t, said, "127.0.0.1:1")
}

// A service that stops serves on until its probes have failed. That its pod waits for it is tested beside the configuration.
func TestAStopIsNoticedBeforeTheServiceEnds(t *testing.T) {
	t.Parallel()
	probe := one[*appsv1.Deployment](t, build(t, "production"), "payrelay").Spec.Template.Spec.Containers[0].ReadinessProbe
	noticed := time.Duration(probe.PeriodSeconds*probe.FailureThreshold+probe.TimeoutSeconds) * time.Second
	require.Greater(t, setting(t, "DRAIN_DELAY", time.ParseDuration), noticed)
}

// setting returns the default of a setting.
func setting[T any](t *testing.T, name string, parse func(string) (T, error)) T {
	t.Helper()
	help, _ := run(t, production, nil, "run", "--help")
	is := found(help, `(?m)^ *`+name+` \(default ([^ ,)]+)`)
	require.NotEmpty(t, is, name)
	v, err := parse(is[0])
	require.NoError(t, err)
	return v
}

// As many replicas as the autoscaler may make, and one more while they are replaced, find their connections at each PgBouncer.
func TestPgBouncerHasRoomForEveryReplica(t *testing.T) {
	t.Parallel()
	m := build(t, "production")
	limit, err := strconv.Atoi(found(text(t, "deploy/pgbouncer/pgbouncer.ini"), `(?m)^max_client_conn = (\d+)`)[0])
	require.NoError(t, err)
	most := int(one[*autoscalingv2.HorizontalPodAutoscaler](t, m, "payrelay").Spec.MaxReplicas)
	surge := one[*appsv1.Deployment](t, m, "payrelay").Spec.Strategy.RollingUpdate.MaxSurge.IntValue()
	require.GreaterOrEqual(t, limit, (most+surge)*setting(t, "DATABASE_POOL", strconv.Atoi))
}

// Each Secret and key that a pod reads is one that the documentation says how to make, and the other way round.
func TestSecretsAreThoseThatAreDocumented(t *testing.T) {
	t.Parallel()
	m := build(t, "production")
	documented := map[string]bool{}
	for _, command := range strings.Split(text(t, "docs/operations.md"), "kubectl -n payrelay create secret generic ")[1:] {
		command, _, _ = strings.Cut(command, "\n\n")
		name, rest, _ := strings.Cut(command, " ")
		for _, key := range found(rest, `--from-file=([a-z.-]+)`) {
			documented[name+"/"+key] = true
		}
	}
	read := map[string]bool{}
	files := map[string]string{} // path to the Secret that is mounted there
	for _, w := range workloads(m) {
		for _, v := range w.pod.Spec.Volumes {
			for _, mount := range w.pod.Spec.Containers[0].VolumeMounts {
				if mount.Name != v.Name {
					continue
				}
				switch {
				case v.Secret != nil:
					files[w.name+mount.MountPath] = v.Secret.SecretName
				case v.Projected != nil:
					one[*corev1.ConfigMap](t, m, v.Projected.Sources[0].ConfigMap.Name)
					files[w.name+mount.MountPath] = v.Projected.Sources[1].Secret.Name
				}
			}
		}
		for name, value := range environment(t, m, w.pod.Spec.Containers[0]) {
			if strings.HasSuffix(name, "_FILE") {
				read[files[w.name+filepath.Dir(value)]+"/"+filepath.Base(value)] = true
			}
		}
	}
	configuration := one[*corev1.ConfigMap](t, m, "pgbouncer").Data
	for _, path := range found(configuration["pgbouncer.ini"], `(?m)^[^;\n]*(/etc/pgbouncer/.*)$`) {
		if _, there := configuration[filepath.Base(path)]; !there {
			read[files["pgbouncer"+filepath.Dir(path)]+"/"+filepath.Base(path)] = true
		}
	}
	// By which the address of a database checks the certificate.
	read["payrelay/ca.crt"], read["payrelay-migrate/ca.crt"] = true, true
	require.Equal(t, slices.Sorted(maps.Keys(documented)), slices.Sorted(maps.Keys(read)), fmt.Sprint(files))
}
