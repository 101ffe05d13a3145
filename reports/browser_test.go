package reports

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// browser finds a Chromium to open pages with.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no chromium, chromium-browser or google-chrome in PATH: the page is not opened in a browser")
	return ""
}

// TestHTMLInABrowser opens the page from a file, as people do who downloaded it
// from a CI run, with every host name made unreachable.
func TestHTMLInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starting a browser takes seconds")
	}
	chromium := browser(t)
	folder := t.TempDir()
	page := filepath.Join(folder, "report.html")
	if err := os.WriteFile(page, render(t, HTML, fixture(t)), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir="+filepath.Join(folder, "profile"),
		"--enable-logging=stderr", "--dump-dom", "file://"+page)
	cmd.WaitDelay = 5 * time.Second
	var dom, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &dom, &log
	if err := cmd.Run(); err != nil {
		if dom.Len() == 0 {
			t.Skipf("the browser does not start here: %v", err)
		}
		t.Fatal(err)
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "CONSOLE") {
			t.Errorf("the browser complains: %s", line)
		}
	}
	for _, want := range []string{`<h1 id="verdict">`, `id="comparisons"`, `id="bounds"`, `id="losses"`, `id="s-burst"`, `id="decision"`,
		"158.81MiB &gt; 147MiB", `id="floodgate-data"`, "</html>"} {
		if !strings.Contains(dom.String(), want) {
			t.Errorf("the browser's page lacks %s", want)
		}
	}
	if got, want := strings.Count(dom.String(), "<svg"), bytes.Count(render(t, HTML, fixture(t)), []byte("<svg")); got != want {
		t.Errorf("the browser shows %d charts, the file has %d", got, want)
	}
}
