package procfs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	helpers["idle"] = func() { report() }
	helpers["burn"] = func() {
		// On a thread that is gone by the time of the reading, so that a count
		// which forgets dead threads cannot pass.
		done := make(chan uint64)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends
			x := uint64(1)
			for range 50_000_000 {
				x = x*6364136223846793005 + 1442695040888963407
			}
			done <- x
		}()
		<-done
		report()
	}
	helpers["peak"] = func() {
		touch(peakSize)()
		report()
	}
}

const peakSize = 64 << 20

// report says that the part is played and waits to be let go.
func report() {
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}

// touch brings size bytes into memory and returns how to give them back.
func touch(size int) (release func()) {
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(memory); i += os.Getpagesize() {
		memory[i] = 1
	}
	return func() {
		if err := unix.Munmap(memory); err != nil {
			panic(err)
		}
	}
}

// child is a process of the test's own.
type child struct {
	*exec.Cmd
	release io.Closer
	t       *testing.T
}

// startChild starts a helper and returns once it is ready.
func startChild(t *testing.T, part string) *child {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{helperEnv + "=" + part}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{Cmd: cmd, release: in, t: t}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			in.Close()
			cmd.Wait()
		}
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the %s helper said %q: %v", part, line, err)
	}
	return c
}

// end lets the child end and returns when it is dead but not yet reaped.
func (c *child) end() {
	c.t.Helper()
	c.release.Close()
	for {
		err := unix.Waitid(unix.P_PID, c.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err == nil {
			return
		}
		if !errors.Is(err, unix.EINTR) {
			c.t.Fatal(err)
		}
	}
}

func TestCPUTimeIsWhatTheKernelBillsAtTheEnd(t *testing.T) {
	c := startChild(t, "burn")
	pid := c.Process.Pid
	alive, err := CPUTime(pid)
	if err != nil {
		t.Fatal(err)
	}
	c.end()
	dead, err := CPUTime(pid)
	if err != nil {
		t.Fatalf("a process that is not yet reaped has its CPU time: %v", err)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	billed := c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	// rusage is cut to whole microseconds, twice.
	if diff := dead - billed; diff.Abs() > 10*time.Microsecond {
		t.Errorf("CPU time %v, but rusage has %v", dead, billed)
	}
	if alive > dead || alive < dead/2 {
		t.Errorf("CPU time %v after the work and %v at the end: the work of the ended thread is missing", alive, dead)
	}
	if _, err := CPUTime(pid); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("after reaping: error %v, want os.ErrProcessDone", err)
	}
}

func TestCPUTimeRefusesTheCallerByAccident(t *testing.T) {
	for _, pid := range []int{0, -1} {
		if _, err := CPUTime(pid); err == nil {
			t.Errorf("CPUTime(%d) has no error: the kernel takes such a clock for the caller's own", pid)
		}
	}
}

func TestPeakMemoryIsTheChildsOwn(t *testing.T) {
	// The starter holds more than the idle child ever has. In the child's rusage
	// this would show up as the child's own peak.
	release := touch(2 * peakSize)
	idle := startChild(t, "idle")
	release()

	peak, err := PeakMemory(idle.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	rss, err := Memory(idle.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if rss <= 0 || peak >= peakSize {
		t.Errorf("idle child: resident %d, peak %d; want some, and less than %d", rss, peak, peakSize)
	}

	busy := startChild(t, "peak")
	if peak, err = PeakMemory(busy.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if rss, err = Memory(busy.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if peak < peakSize || rss >= peakSize {
		t.Errorf("after %d bytes were used and given back: resident %d, peak %d", peakSize, rss, peak)
	}
}

func TestPSSIsPartOfTheResidentSet(t *testing.T) {
	c := startChild(t, "idle")
	pss, err := PSS(c.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	rss, err := Memory(c.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	// The test binary's pages are shared with the test itself, so PSS is smaller.
	if pss <= 0 || pss >= rss {
		t.Errorf("PSS %d, resident %d: want a part of it", pss, rss)
	}
}

func TestMemoryOfTheDeadIsAnError(t *testing.T) {
	c := startChild(t, "idle")
	pid := c.Process.Pid
	readings := map[string]func(int) (int64, error){"Memory": Memory, "PeakMemory": PeakMemory, "PSS": PSS}
	check := func(when string) {
		for name, read := range readings {
			if n, err := read(pid); !errors.Is(err, os.ErrProcessDone) {
				t.Errorf("%s %s: %d, %v; want os.ErrProcessDone and not a zero", name, when, n, err)
			}
		}
	}
	c.end()
	check("before it is reaped")
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	check("after it is reaped")
}
