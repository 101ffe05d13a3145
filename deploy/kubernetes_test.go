package deploy_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
)

// job is the fields of a batch/v1 Job that the manifest uses, by their names in
// the API. Decoding refuses all others, so a slip of the pen is found here and not
// by a cluster.
type job struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Metadata   metadata `yaml:"metadata"`
	Spec       struct {
		CompletionMode          string `yaml:"completionMode"`
		Completions             int32  `yaml:"completions"`
		Parallelism             int32  `yaml:"parallelism"`
		BackoffLimit            *int32 `yaml:"backoffLimit"`
		ActiveDeadlineSeconds   int64  `yaml:"activeDeadlineSeconds"`
		TTLSecondsAfterFinished *int32 `yaml:"ttlSecondsAfterFinished"`
		Template                struct {
			Metadata metadata `yaml:"metadata"`
			Spec     podSpec  `yaml:"spec"`
		} `yaml:"template"`
	} `yaml:"spec"`
}

type metadata struct {
	Name   string            `yaml:"name"`
	Labels map[string]string `yaml:"labels"`
}

type podSpec struct {
	RestartPolicy                string `yaml:"restartPolicy"`
	AutomountServiceAccountToken *bool  `yaml:"automountServiceAccountToken"`
	EnableServiceLinks           *bool  `yaml:"enableServiceLinks"`
	SecurityContext              struct {
		RunAsNonRoot   bool  `yaml:"runAsNonRoot"`
		RunAsUser      int64 `yaml:"runAsUser"`
		RunAsGroup     int64 `yaml:"runAsGroup"`
		SeccompProfile struct {
			Type string `yaml:"type"`
		} `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	TopologySpreadConstraints []struct {
		MaxSkew           int32  `yaml:"maxSkew"`
		TopologyKey       string `yaml:"topologyKey"`
		WhenUnsatisfiable string `yaml:"whenUnsatisfiable"`
		LabelSelector     struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		} `yaml:"labelSelector"`
	} `yaml:"topologySpreadConstraints"`
	Containers []container `yaml:"containers"`
}

type container struct {
	Name            string   `yaml:"name"`
	Image           string   `yaml:"image"`
	ImagePullPolicy string   `yaml:"imagePullPolicy"`
	Command         []string `yaml:"command"`
	Args            []string `yaml:"args"`
	Env             []struct {
		Name      string `yaml:"name"`
		Value     string `yaml:"value"`
		ValueFrom *struct {
			ConfigMapKeyRef struct {
				Name string `yaml:"name"`
				Key  string `yaml:"key"`
			} `yaml:"configMapKeyRef"`
		} `yaml:"valueFrom"`
	} `yaml:"env"`
	Resources struct {
		Requests map[string]string `yaml:"requests"`
		Limits   map[string]string `yaml:"limits"`
	} `yaml:"resources"`
	SecurityContext struct {
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		Privileged               bool  `yaml:"privileged"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct {
			Drop []string `yaml:"drop"`
		} `yaml:"capabilities"`
	} `yaml:"securityContext"`
}

// strict decodes one YAML document and refuses what to has no field for.
func strict(t *testing.T, file string, to any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(to); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if err := decoder.Decode(new(any)); err == nil {
		t.Fatalf("%s has a second document", file)
	}
}

func readJob(t *testing.T) (job, container) {
	t.Helper()
	var j job
	strict(t, "kubernetes/job.yaml", &j)
	if len(j.Spec.Template.Spec.Containers) != 1 {
		t.Fatalf("%d containers, want 1", len(j.Spec.Template.Spec.Containers))
	}
	return j, j.Spec.Template.Spec.Containers[0]
}

func TestKubernetesJob(t *testing.T) {
	j, c := readJob(t)
	pod := j.Spec.Template.Spec
	isFalse := func(b *bool) bool { return b != nil && !*b }
	for _, rule := range []struct {
		name string
		ok   bool
	}{
		{"it is a Job", j.APIVersion == "batch/v1" && j.Kind == "Job" && j.Metadata.Name != ""},
		{"it is indexed, which sets JOB_COMPLETION_INDEX", j.Spec.CompletionMode == "Indexed"},
		{"all pods run at once", j.Spec.Completions == j.Spec.Parallelism && j.Spec.Completions > 1},
		{"no share is sent again", j.Spec.BackoffLimit != nil && *j.Spec.BackoffLimit == 0 && pod.RestartPolicy == "Never"},
		{"it ends, and stays for its logs to be read", j.Spec.ActiveDeadlineSeconds > 0 && j.Spec.TTLSecondsAfterFinished != nil && *j.Spec.TTLSecondsAfterFinished >= 3600},
		{"no user but an ordinary one", pod.SecurityContext.RunAsNonRoot && pod.SecurityContext.RunAsUser > 0 && pod.SecurityContext.RunAsGroup > 0},
		{"no privilege", isFalse(c.SecurityContext.AllowPrivilegeEscalation) && !c.SecurityContext.Privileged && c.SecurityContext.ReadOnlyRootFilesystem &&
			slices.Equal(c.SecurityContext.Capabilities.Drop, []string{"ALL"}) && pod.SecurityContext.SeccompProfile.Type == "RuntimeDefault"},
		{"no access to the cluster", isFalse(pod.AutomountServiceAccountToken)},
		{"limits that are requested, and so are never throttled away", c.Resources.Limits["memory"] != "" && maps.Equal(c.Resources.Requests, c.Resources.Limits)},
		{"whole processors", func() bool { n, err := strconv.Atoi(c.Resources.Limits["cpu"]); return err == nil && n > 0 }()},
	} {
		if !rule.ok {
			t.Errorf("job.yaml breaks the rule: %s", rule.name)
		}
	}
	for _, spread := range pod.TopologySpreadConstraints {
		if !maps.Equal(spread.LabelSelector.MatchLabels, j.Spec.Template.Metadata.Labels) {
			t.Errorf("pods are spread by labels %v, which are not theirs: %v", spread.LabelSelector.MatchLabels, j.Spec.Template.Metadata.Labels)
		}
	}
	page, err := os.ReadFile("kubernetes/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.Env {
		if e.Name == "SHARES" && e.Value != strconv.Itoa(int(j.Spec.Completions)) {
			t.Errorf("SHARES is %s, and there are %d completions", e.Value, j.Spec.Completions)
		}
		// What has no value of its own is required: the page says how to give it.
		if ref := e.ValueFrom; ref != nil && (ref.ConfigMapKeyRef.Name != "floodgate-blast" || !bytes.Contains(page, []byte("--from-literal="+ref.ConfigMapKeyRef.Key+"="))) {
			t.Errorf("%s comes from %+v, which README.md does not make", e.Name, ref.ConfigMapKeyRef)
		}
		// Kubernetes replaces $(NAME) before the shell sees it, and $$ by $.
		if text := strings.Join(c.Args, " "); strings.Contains(text, "$("+e.Name+")") || strings.Contains(text, "$$") {
			t.Errorf("the command line is not what the shell will see: %s", text)
		}
		if (e.Name == "TARGET" || e.Name == "START_AT") && (e.Value != "" || e.ValueFrom == nil) {
			t.Errorf("%s has a value of its own: a load needs to be pointed at its target by hand", e.Name)
		}
	}
}

// The command lines of all pods, run by this machine's shell, send the whole load
// once, and what they print merges.
func TestKubernetesCommand(t *testing.T) {
	t.Parallel()
	j, c := readJob(t)
	shares := int(j.Spec.Completions)
	target := newCounter(t)
	values := map[string]string{"TARGET": target.url(), "COUNT": "402", "OVER": "200ms", "CONTEXTS": "50"}
	files := make([]string, shares)
	dir := t.TempDir()
	// A busy machine may take longer to start the pods than the burst waits.
	for _, wait := range []time.Duration{time.Second, 10 * time.Second, time.Minute} {
		values["START_AT"] = time.Now().Add(wait).UTC().Format(time.RFC3339Nano)
		pods := make([]*exec.Cmd, shares)
		said := make([]strings.Builder, shares)
		for i := range pods {
			pods[i] = podCommand(c, values, i)
			files[i] = filepath.Join(dir, fmt.Sprintf("shard-%d.json", i))
			file, err := os.Create(files[i])
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			pods[i].Stdout, pods[i].Stderr = file, &said[i]
			if err := pods[i].Start(); err != nil {
				t.Fatal(err)
			}
		}
		failed := ""
		for i, pod := range pods {
			if err := pod.Wait(); err != nil {
				failed += fmt.Sprintf("pod %d: %v: %s\n", i, err, &said[i])
			}
		}
		if failed == "" {
			break
		}
		if !strings.Contains(failed, "is past") && !strings.Contains(failed, "choose a later instant") || wait == time.Minute {
			t.Fatal(failed)
		}
		target.forget()
	}
	whole := merge(t, files...)
	if whole.Sent != 402 || whole.NotSent != 0 || len(whole.Shards) != shares {
		t.Errorf("%+v", whole)
	}
	target.check(t, whole)
}

// podCommand is the container's command line, with the environment that its pod
// has and values in place of some of it.
func podCommand(c container, values map[string]string, index int) *exec.Cmd {
	cmd := exec.Command(c.Command[0], append(slices.Clone(c.Command[1:]), c.Args...)...)
	cmd.Env = []string{"PATH=" + programs, fmt.Sprintf("JOB_COMPLETION_INDEX=%d", index)}
	for _, e := range c.Env {
		value, given := values[e.Name]
		if !given {
			value = e.Value
		}
		cmd.Env = append(cmd.Env, e.Name+"="+value)
	}
	return cmd
}

// Without its index, or without a target, a pod sends nothing.
func TestKubernetesCommandNeedsItsEnvironment(t *testing.T) {
	_, c := readJob(t)
	for _, without := range []string{"JOB_COMPLETION_INDEX", "TARGET", "START_AT", "SHARES"} {
		cmd := podCommand(c, map[string]string{"TARGET": "udp://127.0.0.1:9", "START_AT": "2001-01-01T00:00:00Z"}, 0)
		cmd.Env = slices.DeleteFunc(cmd.Env, func(variable string) bool { return strings.HasPrefix(variable, without+"=") })
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), without) {
			t.Errorf("without %s: %v: %s", without, err, out)
		}
	}
}
