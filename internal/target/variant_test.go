package target

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseVariant(t *testing.T) {
	tests := []struct {
		text string
		want Variant
		form string // of String, where it is not text
	}{
		{text: "refserver", want: Variant{Kind: RefServer}},
		{text: "refserver:reader=coupled,flush=sync", want: Variant{RefServer, "", Options{{"reader", "coupled"}, {"flush", "sync"}}}},
		{text: "refserver:listen=127.0.0.1:8125", want: Variant{RefServer, "", Options{{"listen", "127.0.0.1:8125"}}}},
		{text: "refserver:tags=", want: Variant{RefServer, "", Options{{"tags", ""}}}},
		{text: "target:gostatsd", want: Variant{Kind: Preset, Name: "gostatsd"}},
		{text: "target:gostatsd:workers=2", want: Variant{Preset, "gostatsd", Options{{"workers", "2"}}}},
		{text: "git:HEAD~1", want: Variant{Kind: Git, Name: "HEAD~1"}},
		{text: "git:fix/a=b:flush=sync", want: Variant{Git, "fix/a=b", Options{{"flush", "sync"}}}},
		{text: "git:main@{yesterday}:x=a=b", want: Variant{Git, "main@{yesterday}", Options{{"x", "a=b"}}}},
		{text: "bin:./server", want: Variant{Kind: Binary, Name: "./server"}},
		{text: "bin:/opt/my server:flush=sync,queue_size=1", want: Variant{Binary, "/opt/my server", Options{{"flush", "sync"}, {"queue_size", "1"}}}},
		{text: "bin:C:/server", want: Variant{Kind: Binary, Name: "C:/server"}},
		{text: "bin:/opt/a:b:c=d", want: Variant{Binary, "/opt/a:b", Options{{"c", "d"}}}},
		{text: "bin:/opt/a=b", want: Variant{Kind: Binary, Name: "/opt/a=b"}},
		// The colon at the end makes all of it the path.
		{text: "bin:/opt/a:b=c:", want: Variant{Kind: Binary, Name: "/opt/a:b=c"}},
		{text: "bin:/opt/a::", want: Variant{Kind: Binary, Name: "/opt/a:"}},
		{text: "bin:/opt/a:", want: Variant{Kind: Binary, Name: "/opt/a"}, form: "bin:/opt/a"},
	}
	for _, test := range tests {
		got, err := ParseVariant(test.text)
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.text, diff)
		}
		want := test.form
		if want == "" {
			want = test.text
		}
		if got.String() != want {
			t.Errorf("%s is written %s, want %s", test.text, got, want)
		}
	}
}

func TestParseVariantNamesWhatIsWrong(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", variantForms},
		{"./server", variantForms},
		{"docker:statsd", `kind "docker" is unknown`},
		{"Refserver", `kind "Refserver" is unknown`},
		{"bin", "nothing follows"},
		{"bin:", "nothing follows"},
		{"bin::a=b", "nothing follows"},
		{"target::a=b", "nothing follows"},
		{"target:../x", "lower-case letters"},
		{"git:", "nothing follows"},
		{"git:--upload-pack=x", "begins with -"},
		{"git:a b", "holds blanks"},
		{"refserver:", "nothing follows the last colon"},
		{"target:a:", "nothing follows the last colon"},
		{"refserver:sync", `option "sync" has no value: want key=value`},
		{"refserver:a=1,", `option "" has no value`},
		{"refserver:=1", "no proper key"},
		{"refserver:1a=1", "no proper key"},
		{"refserver:Flush=1", "no proper key"},
		{"refserver:a=1,b=2,a=1", `option "a" is given twice`},
		{"bin:/x:listen=127.0.0.1:8125", "a value of a bin cannot hold a colon"},
		{"refserver:a=\n", "control characters"},
		{"bin:\xff", "no UTF-8"},
	}
	for _, test := range tests {
		v, err := ParseVariant(test.text)
		if err == nil {
			t.Errorf("%q is read as %+v, want an error", test.text, v)
			continue
		}
		if message := err.Error(); !strings.Contains(message, test.want) || strings.Contains(message, "\n") ||
			!strings.HasPrefix(message, "cannot read variant ") {
			t.Errorf("%q: error %q, want one line with %q", test.text, err, test.want)
		}
	}
}

func TestOptionsTellEmptyFromAbsent(t *testing.T) {
	o := Options{{"tags", ""}}
	if value, given := o.Get("tags"); value != "" || !given {
		t.Errorf("tags: %q, %v", value, given)
	}
	if _, given := o.Get("flush"); given {
		t.Error("flush was not given")
	}
}

// FuzzParseVariant checks that what is written is read back the same, however it
// came about.
func FuzzParseVariant(f *testing.F) {
	for _, text := range []string{
		"refserver", "refserver:a=1,b=x:y", "bin:/a:b=c:", "bin:/a::", "bin:/a:b:c=d", "bin:a:b=c:d=e",
		"target:veneur:x=", "git:HEAD^{}:a==", "bin:/x:listen=1:2", "bin:=:=",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParseVariant(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: an error of more than one line: %q", text, err)
			}
			return
		}
		written := v.String()
		again, err := ParseVariant(written)
		if err != nil {
			t.Fatalf("%q is written %q, which cannot be read: %v", text, written, err)
		}
		if again.Kind != v.Kind || again.Name != v.Name || !slices.Equal(again.Options, v.Options) {
			t.Errorf("%q is %+v, written %q, read back %+v", text, v, written, again)
		}
	})
}
