package kubernetes_test

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

var overlays = []string{"production", "trial"}

// A namespace that enforces the strictest of Kubernetes' three security standards takes every pod.
func TestPodsMeetTheRestrictedStandard(t *testing.T) {
	t.Parallel()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	require.NoError(t, err)
	for _, overlay := range overlays {
		m := build(t, overlay)
		require.Equal(t, "restricted", all[*corev1.Namespace](m)[0].Labels["pod-security.kubernetes.io/enforce"])
		for _, w := range workloads(m) {
			for _, result := range evaluator.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &w.pod.ObjectMeta, &w.pod.Spec) {
				require.True(t, result.Allowed, "%s: %s: %s", w.name, result.ForbiddenReason, result.ForbiddenDetail)
			}
			require.False(t, *w.pod.Spec.AutomountServiceAccountToken, w.name)
			for _, c := range append(w.pod.Spec.InitContainers, w.pod.Spec.Containers...) {
				require.True(t, *c.SecurityContext.ReadOnlyRootFilesystem, w.name)
			}
		}
	}
}

// kube-score finds nothing critical. Two of its rules are left out: a limit of CPU would only delay answers, and pods of a fixed
// version must start while the registry does not answer.
func TestKubeScore(t *testing.T) {
	t.Parallel()
	for _, overlay := range overlays {
		cmd := exec.CommandContext(t.Context(), "go", "run", "github.com/zegl/kube-score/cmd/kube-score@v1.20.0", "score",
			"--ignore-container-cpu-limit", "--ignore-test", "container-image-pull-policy", "-")
		cmd.Stdin = bytes.NewReader(build(t, overlay).yaml)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}
