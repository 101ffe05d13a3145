package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// uploads is an intake that answers all with status.
func uploads(t *testing.T, status int) string {
	t.Helper()
	in := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
	}))
	t.Cleanup(in.Close)
	return in.URL
}

func noEnvironment(string) (string, bool) { return "", false }

func TestSymdb(t *testing.T) {
	const program = " --packages 3 --functions 5 --variables 2 --seed 7 --retry-for 0"
	for _, c := range []struct {
		why    string
		status int
		args   string
		code   int
		stderr string
		want   symdbStatistics // without bytes, memory and error
	}{
		{why: "streaming is the default", status: 202, args: program,
			want: statistics("streaming", 3, 15, 1, 0)},
		{why: "a threshold of 0 sends every package alone, and then the end", status: 202, args: program + " --threshold 0",
			want: statistics("streaming", 3, 15, 4, 0)},
		{why: "buffered counts functions", status: 202, args: program + " --mode buffered --max-functions 10",
			want: statistics("buffered", 3, 15, 2, 0)},
		{why: "what is lost is told, and fails", status: 400, args: program, code: exitFailed,
			stderr: "refserver symdb: 1 batches given up, 3 packages with 15 functions lost: ", want: statistics("streaming", 0, 0, 0, 1)},
	} {
		file := filepath.Join(t.TempDir(), "stats.json")
		var stdout, stderr strings.Builder
		args := append(strings.Fields("symdb --intake "+uploads(t, c.status)+c.args), "--stats-file", file)
		if code := run(t.Context(), args, noEnvironment, &stdout, &stderr); code != c.code || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("%s: exit code %d, want %d: %s", c.why, code, c.code, stderr.String())
		}
		var got symdbStatistics
		if err := json.Unmarshal([]byte(stdout.String()), &got); err != nil {
			t.Errorf("%s: %v in %s", c.why, err, stdout.String())
		}
		if written, err := os.ReadFile(file); err != nil || string(written) != stdout.String() {
			t.Errorf("%s: the file has %s, %v", c.why, written, err)
		}
		if (got.Bytes > 0) != (got.Batches > 0) || (got.Error != "") != (c.code != exitOK) {
			t.Errorf("%s: %+v", c.why, got)
		}
		if runtime.GOOS == "linux" && got.PeakRSS < 1<<20 {
			t.Errorf("%s: peak memory is %d bytes", c.why, got.PeakRSS)
		}
		got.Bytes, got.PeakRSS, got.Error = 0, 0, ""
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.why, got, c.want)
		}
	}
}

func statistics(mode string, packages, functions, batches, failed int64) symdbStatistics {
	var st symdbStatistics
	st.Mode, st.Done = "streaming", true
	if mode == "buffered" {
		st.Mode = "buffered"
	}
	st.Packages, st.Functions, st.Batches, st.FailedBatches = packages, functions, batches, failed
	if failed > 0 {
		st.LostPackages, st.LostFunctions = 3, 15
	}
	return st
}

func TestSymdbRefusesWhatItCannotMean(t *testing.T) {
	for args, want := range map[string]string{
		"":                                "no intake: want --intake URL",
		"--intake x":                      `intake is "x"`,
		"--intake http://x --mode both":   `mode is "both", want streaming or buffered`,
		"--intake http://x --packages -1": `--packages is "-1", want a whole number`,
		"--intake http://x y":             `unexpected argument "y"`,
		"--intake http://x --listen y":    "unknown flag: --listen",
		"--intake http://x --stats y":     "cannot serve statistics on y",
	} {
		var stdout, stderr strings.Builder
		code := run(t.Context(), append([]string{"symdb"}, strings.Fields(args)...), noEnvironment, &stdout, &stderr)
		if code != exitRefused || !strings.Contains(stderr.String(), want) || stdout.Len() > 0 {
			t.Errorf("%s: exit code %d, %s%s, want %s", args, code, stdout.String(), stderr.String(), want)
		}
	}
}

func TestSymdbHelp(t *testing.T) {
	var stdout strings.Builder
	if code := run(t.Context(), []string{"symdb", "--help"}, noEnvironment, &stdout, io.Discard); code != exitOK {
		t.Errorf("help exits with %d", code)
	}
	for _, want := range []string{"Examples:", "--intake", "--threshold", "--linger"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("help lacks %s", want)
		}
	}
}

// TestSymdbLingers: it can be asked before, during and after the upload, until
// it is told to end; that it then succeeded stays true.
func TestSymdbLingers(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log, logged := io.Pipe()
	code := make(chan int, 1)
	args := strings.Fields("symdb --packages 3 --stats 127.0.0.1:0 --linger --intake " + uploads(t, 202))
	go func() {
		code <- run(ctx, args, noEnvironment, io.Discard, logged)
		logged.Close()
	}()
	// The port is told on stderr.
	line := make([]byte, 4096)
	n, err := log.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	_, url, ok := strings.Cut(strings.TrimSpace(string(line[:n])), "url=")
	if !ok {
		t.Fatalf("no address in %q", line[:n])
	}
	go io.Copy(io.Discard, log)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	var st symdbStatistics
	ask := func() error {
		resp, err := client.Get(url)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		return errors.Join(err, json.NewDecoder(resp.Body).Decode(&st))
	}
	for !st.Done {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	if st.Packages != 3 || st.Batches != 1 || st.Bytes == 0 {
		t.Errorf("%+v", st)
	}
	cancel()
	if got := <-code; got != exitOK {
		t.Errorf("exit code %d", got)
	}
	if err := ask(); err == nil {
		t.Error("the statistics outlive the command")
	}
}
