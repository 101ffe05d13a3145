package main

import (
	"slices"
	"testing"
)

func TestVariantsKeepTheirOptions(t *testing.T) {
	for _, c := range []struct {
		why        string
		list, want []string
	}{
		{"names are names", []string{"refserver", "telegraf"}, []string{"refserver", "telegraf"}},
		{"a variant may have one option", []string{"refserver:sockets=4", "telegraf"}, []string{"refserver:sockets=4", "telegraf"}},
		{"or several", []string{"refserver:sockets=4", "reader=coupled", "flush=sync", "telegraf"}, []string{"refserver:sockets=4,reader=coupled,flush=sync", "telegraf"}},
		{"what has a colon before its = is a variant", []string{"refserver", "bin:server:gro=true", "readers=2"}, []string{"refserver", "bin:server:gro=true,readers=2"}},
		{"a value may have a colon", []string{"refserver:listen=a", "intake=http://b"}, []string{"refserver:listen=a,intake=http://b"}},
		{"an option of nothing is left to be refused", []string{"sockets=4", "refserver"}, []string{"sockets=4", "refserver"}},
	} {
		if got := withOptions(c.list); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q became %q, want %q", c.why, c.list, got, c.want)
		}
	}
}
