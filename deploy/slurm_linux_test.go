package deploy_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cluster is a Slurm of this machine alone: its daemons, on ports and in a folder
// of its own.
type cluster struct {
	dir, config string
}

// daemon starts a program and ends it with the test, by its own process.
func daemon(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, name+".out"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Errorf("%s did not end when it was told to", name)
			cmd.Process.Kill()
			<-ended
		}
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s said:\n%s", name, text)
		}
	})
}

// freePorts are TCP ports of loopback that nobody has.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// startSlurm starts munged, slurmctld and slurmd, and waits for an idle node. The
// test is skipped where they are not installed.
func startSlurm(t *testing.T) *cluster {
	t.Helper()
	for _, program := range []string{"munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo", "scancel"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs Slurm: no %s here; make test-slurm installs it", program)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: slurmd starts jobs as their users")
	}
	// A short path: those of unix sockets are limited.
	dir, err := os.MkdirTemp("", "slurm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	// munged wants its socket to be within the reach of all.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ = strings.Cut(host, ".")
	key := make([]byte, 1024)
	rand.Read(key)
	ports := freePorts(t, 2)
	c := &cluster{dir: dir, config: filepath.Join(dir, "slurm.conf")}
	files := map[string]string{"key": string(key), "slurm.conf": slurmConf(dir, host, ports[0], ports[1])}
	// Older ones leave cgroups alone unless a plugin asks for them, and do not
	// know the word.
	if version, err := exec.Command("slurmd", "-V").Output(); err == nil && !bytes.Contains(version, []byte(" 22.")) && !bytes.Contains(version, []byte(" 23.")) {
		files["cgroup.conf"] = "CgroupPlugin=disabled\n"
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"state", "spool"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	socket := filepath.Join(dir, "munge.socket")
	daemon(t, dir, "munged", "--foreground", "--key-file="+filepath.Join(dir, "key"), "--socket="+socket,
		"--pid-file="+filepath.Join(dir, "munged.pid"), "--seed-file="+filepath.Join(dir, "munged.seed"))
	eventually(t, "munged listens", 30*time.Second, func() bool { _, err := os.Stat(socket); return err == nil })
	daemon(t, dir, "slurmctld", "-D", "-f", c.config)
	daemon(t, dir, "slurmd", "-D", "-f", c.config)
	eventually(t, "an idle node", 60*time.Second, func() bool {
		out, err := c.try("sinfo", "--noheader", "--format=%T")
		return err == nil && strings.TrimSpace(out) == "idle"
	})
	// Jobs that a failed test leaves behind would outlive the daemons.
	t.Cleanup(func() {
		c.try("scancel", "--user=root")
		eventually(t, "an empty queue", 60*time.Second, func() bool { return c.queue() == "" })
	})
	return c
}

// slurmConf is the least that the daemons want: no accounting, no cgroups, jobs
// side by side on one node that claims to have processors enough.
func slurmConf(dir, host string, controller, node int) string {
	return fmt.Sprintf(`ClusterName=floodgate
SlurmctldHost=%[2]s(127.0.0.1)
SlurmctldPort=%[3]d
SlurmdPort=%[4]d
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=%[1]s/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation=%[1]s/state
SlurmdSpoolDir=%[1]s/spool
SlurmctldPidFile=%[1]s/slurmctld.pid
SlurmdPidFile=%[1]s/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0
SlurmdParameters=config_overrides
ReturnToService=2
MailProg=/bin/true
NodeName=%[2]s NodeAddr=127.0.0.1 CPUs=16 RealMemory=4096 State=UNKNOWN
PartitionName=all Nodes=%[2]s Default=YES MaxTime=INFINITE State=UP
`, dir, host, controller, node)
}

// try runs a command of Slurm.
func (c *cluster) try(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // also in a cleanup
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = withPath("SLURM_CONF="+c.config, "FLOODGATE="+filepath.Join(programs, "floodgate"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// queue is the jobs that have not ended.
func (c *cluster) queue() string {
	out, err := c.try("squeue", "--noheader", "--format=%A %T")
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(out)
}

// submit runs submit.sh in a folder, with so many seconds until the start, and
// waits for all its jobs.
func (c *cluster) submit(t *testing.T, out string, startIn int, args ...string) {
	t.Helper()
	submit, err := filepath.Abs("slurm/submit.sh")
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.try("env", append([]string{"OUT=" + out, "START_IN=" + strconv.Itoa(startIn), submit}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", text)
	eventually(t, "the end of all jobs", 2*time.Minute, func() bool { return c.queue() == "" })
}

// A burst of which each task of an array sends a share arrives whole, once, and
// the merge job says so.
func TestSlurmArray(t *testing.T) {
	t.Parallel() // most of it is waiting
	c := startSlurm(t)
	const shares, messages = 4, 402 // 101, 101, 100, 100; the socket has room for all
	target := newCounter(t)
	var out string
	// A busy machine may take longer to start the tasks than the burst waits.
	for _, startIn := range []int{4, 20, 60} {
		out = filepath.Join(c.dir, fmt.Sprintf("burst-%d", startIn))
		target.forget()
		c.submit(t, out, startIn, strconv.Itoa(shares), target.url(), "--count", strconv.Itoa(messages), "--over", "200ms", "--contexts", "50")
		if files, _ := filepath.Glob(filepath.Join(out, "shard-*.json")); len(files) == shares {
			break
		}
	}
	text, err := os.ReadFile(filepath.Join(out, "burst.json"))
	if err != nil {
		logs, _ := exec.Command("sh", "-c", `tail -n 5 "$1"/*`, "sh", out).CombinedOutput()
		t.Fatalf("%v\n%s", err, logs)
	}
	whole := readSummary(t, text)
	if whole.Planned != messages || whole.Sent != messages || whole.NotSent != 0 || len(whole.Shards) != shares {
		t.Errorf("%s", text)
	}
	for i, want := range []int64{101, 101, 100, 100} {
		if got := whole.Shards[i]; got.Sent != want || got.Shard != fmt.Sprintf("%d/%d", i+1, shares) {
			t.Errorf("%+v, want %d messages of share %d", got, want, i+1)
		}
	}
	target.check(t, whole)
	people, err := os.ReadFile(filepath.Join(out, "burst.txt"))
	if err != nil || !bytes.HasPrefix(people, []byte("402 messages over 200ms to "+target.url()+", in 4 shares")) {
		t.Errorf("%v: %s", err, people)
	}

	t.Run("a share that is late", func(t *testing.T) { c.testLateShare(t, target) })
	t.Run("a folder with another burst", func(t *testing.T) {
		submit, _ := filepath.Abs("slurm/submit.sh")
		said, err := c.try("env", "OUT="+out, submit, "2", target.url())
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(said, "it has the shares of another burst") {
			t.Errorf("%v: %s", err, said)
		}
	})
}

// testLateShare: a burst whose instant has passed when the tasks begin is not
// sent, and the merge job fails and says why.
func (c *cluster) testLateShare(t *testing.T, target *counter) {
	target.forget()
	out := filepath.Join(c.dir, "late")
	c.submit(t, out, 0, "2", target.url(), "--count", "10", "--over", "0s")
	if n := target.count(); n != 0 {
		t.Errorf("%d messages were sent by shares that came late", n)
	}
	said, _ := os.ReadFile(filepath.Join(out, "shard-1.log"))
	if !bytes.Contains(said, []byte("which is past")) {
		t.Errorf("the share says %q", said)
	}
	if files, _ := filepath.Glob(filepath.Join(out, "*.json*")); len(files) != 0 {
		t.Errorf("%v are left of a burst that was not", files)
	}
	said, _ = os.ReadFile(filepath.Join(out, "burst.txt"))
	if !bytes.Contains(said, []byte("cannot read a share")) {
		t.Errorf("the merge says %q", said)
	}
}
