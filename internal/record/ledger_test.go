package record

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBalance has a row for each equation and for each kind of target that
// tells less than all. A ledger that wrongly balances would let a loss pass for
// a result, so every row also says what must be booked as unexplained.
func TestBalance(t *testing.T) {
	// whole is a ledger of the reference server: every stage is known.
	whole := func(change func(*Ledger)) Ledger {
		l := Ledger{
			Offered: 1000, NotSent: 10, Sent: 990,
			KernelDropped: Count(90), Received: Count(900),
			QueueDropped: Count(50), Malformed: Count(5), Truncated: Count(4), Rejected: Count(3), ShutdownDropped: Count(38),
			Aggregated: Count(800), UploadFailed: Count(100), Delivered: Count(700),
		}
		change(&l)
		return l
	}
	// foreign is a ledger of a target of which only the socket and the output
	// are visible.
	foreign := func(change func(*Ledger)) Ledger {
		l := Ledger{Offered: 1000, Sent: 1000, KernelDropped: Count(100), Delivered: Count(900)}
		change(&l)
		return l
	}
	const (
		received   = "received = aggregated + queue_dropped + malformed + truncated + rejected + shutdown_dropped"
		aggregated = "aggregated = delivered + upload_failed"
	)
	for _, c := range []struct {
		name         string
		ledger       Ledger
		unattributed int64
		unaccounted  int64
		faults       []string
	}{
		{"every stage known, each loss in its place",
			whole(func(*Ledger) {}), 0, 0, nil},
		{"nothing at all, as in an idle scenario",
			Ledger{Received: Count(0), KernelDropped: Count(0), Aggregated: Count(0), Delivered: Count(0)}, 0, 0, nil},
		{"a message was due and is neither sent nor left",
			whole(func(l *Ledger) { l.Offered++ }), 0, 1,
			[]string{"offered = sent + given_up + not_sent: 1001 against 1000, +1 unexplained"}},
		{"more was sent than was due",
			whole(func(l *Ledger) { l.NotSent--; l.Offered -= 2 }), 0, 1,
			[]string{"offered = sent + given_up + not_sent: 998 against 999, -1 unexplained"}},
		{"a datagram vanished before the target and the socket did not count it",
			whole(func(l *Ledger) { l.KernelDropped = Count(85) }), 0, 5,
			[]string{"sent = received + kernel_dropped: 990 against 985, +5 unexplained"}},
		{"the drop counter saw somebody else's datagrams",
			whole(func(l *Ledger) { l.KernelDropped = Count(95) }), 0, 5,
			[]string{"sent = received + kernel_dropped: 990 against 995, -5 unexplained"}},
		{"a unix socket has no drop counter and loses nothing",
			whole(func(l *Ledger) { l.KernelDropped = nil; l.Sent, l.Offered = 900, 910 }), 0, 0, nil},
		{"a unix socket has no drop counter, and yet something is gone",
			whole(func(l *Ledger) { l.KernelDropped = nil }), 0, 90,
			[]string{"sent = received: 990 against 900, +90 unexplained"}},
		{"the queue lost a message uncounted",
			whole(func(l *Ledger) { l.QueueDropped = Count(49) }), 0, 1,
			[]string{received + ": 900 against 899, +1 unexplained"}},
		{"a malformed line was also aggregated",
			whole(func(l *Ledger) { l.Malformed = Count(6) }), 0, 1,
			[]string{received + ": 900 against 901, -1 unexplained"}},
		{"a cut line was counted twice",
			whole(func(l *Ledger) { l.Truncated = Count(5) }), 0, 1,
			[]string{received + ": 900 against 901, -1 unexplained"}},
		{"a rejected message was not counted",
			whole(func(l *Ledger) { l.Rejected = Count(0) }), 0, 3,
			[]string{received + ": 900 against 897, +3 unexplained"}},
		{"messages were still queued at the end, uncounted",
			whole(func(l *Ledger) { l.ShutdownDropped = Count(0) }), 0, 38,
			[]string{received + ": 900 against 862, +38 unexplained"}},
		{"a stage that the target does not have is no loss",
			whole(func(l *Ledger) { l.Rejected = nil; l.QueueDropped = Count(53) }), 0, 0, nil},
		{"a series was lost on its way to the intake",
			whole(func(l *Ledger) { l.Delivered = Count(690) }), 0, 10,
			[]string{aggregated + ": 800 against 790, +10 unexplained"}},
		{"a retried upload arrived twice",
			whole(func(l *Ledger) { l.Delivered = Count(900) }), 0, 200,
			[]string{aggregated + ": 800 against 1000, -200 unexplained"}},
		{"what the sender had no room for is neither sent nor lost",
			whole(func(l *Ledger) { l.Offered = 1007; l.GivenUp = 7 }), 0, 0, nil},
		{"and is found missing where it is not said",
			whole(func(l *Ledger) { l.Offered = 1007 }), 0, 7,
			[]string{"offered = sent + given_up + not_sent: 1007 against 1000, +7 unexplained"}},
		{"a sender that gives up what it has sent",
			whole(func(l *Ledger) { l.GivenUp = 5 }), 0, 5,
			[]string{"offered = sent + given_up + not_sent: 1000 against 1005, -5 unexplained"}},
		{"what cannot be decided from the series counts as arrived",
			whole(func(l *Ledger) { l.Delivered = Count(600); l.Undecided = 100 }), 0, 0, nil},
		{"two faults do not cancel out",
			whole(func(l *Ledger) { l.Received = Count(901) }), 0, 2,
			[]string{
				"sent = received + kernel_dropped: 990 against 991, -1 unexplained",
				received + ": 901 against 900, +1 unexplained",
			}},
		{"an output that is not counted leaves the stages before it to be balanced",
			whole(func(l *Ledger) { l.Delivered = nil }), 0, 0, nil},
		{"and finds their faults",
			whole(func(l *Ledger) { l.Delivered = nil; l.Aggregated = Count(799) }), 0, 1,
			[]string{received + ": 900 against 899, +1 unexplained"}},
		{"nothing is counted and nothing told: the fate of all is unknown, but for the kernel's drops",
			foreign(func(l *Ledger) { l.Delivered = nil }), 900, 0, nil},
		{"not counted, and the target tells only what it aggregated and dropped",
			foreign(func(l *Ledger) { l.Delivered = nil; l.Aggregated = Count(850); l.QueueDropped = Count(20) }), 30, 0, nil},
		{"not counted, and the target claims more than it can have got",
			foreign(func(l *Ledger) { l.Delivered = nil; l.Aggregated = Count(950) }), 0, 50,
			[]string{"aggregated 950 of 1000 sent: 50 more than can have arrived"}},
		{"a foreign target without a loss of its own",
			foreign(func(*Ledger) {}), 0, 0, nil},
		{"a foreign target that loses inside: one loss, place unknown",
			foreign(func(l *Ledger) { l.Delivered = Count(850) }), 50, 0, nil},
		{"a foreign target behind a unix socket",
			foreign(func(l *Ledger) { l.KernelDropped = nil }), 100, 0, nil},
		{"a foreign target that tells what it received, but not what it did with it",
			foreign(func(l *Ledger) { l.Received = Count(900); l.Delivered = Count(899) }), 1, 0, nil},
		{"a foreign target from which more arrives than can have reached it",
			foreign(func(l *Ledger) { l.Delivered = Count(950) }), 0, 50,
			[]string{"delivered 950 of 1000 sent: 50 more than can have arrived"}},
		{"undecided messages of a foreign target count as arrived",
			foreign(func(l *Ledger) { l.Delivered = Count(890); l.Undecided = 10 }), 0, 0, nil},
		{"a sender in front of a foreign target gives up",
			foreign(func(l *Ledger) { l.Offered = 1200; l.GivenUp = 200 }), 0, 0, nil},
		{"the generator's own shortfall is found for a foreign target too",
			foreign(func(l *Ledger) { l.Offered = 1001 }), 0, 1,
			[]string{"offered = sent + given_up + not_sent: 1001 against 1000, +1 unexplained"}},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			want := c.ledger
			want.Unattributed, want.Unaccounted = c.unattributed, c.unaccounted
			got := c.ledger
			got.Unattributed, got.Unaccounted = 77, 77 // left from an earlier balance
			faults := got.Balance()
			if diff := cmp.Diff(c.faults, faults); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ledger (-want +got):\n%s", diff)
			}
			if (got.Unaccounted != 0) != (len(faults) > 0) {
				t.Errorf("%d unaccounted, but %d faults", got.Unaccounted, len(faults))
			}
		})
	}
}

// TestLost: a loss is what was sent and did not arrive, wherever it went.
func TestLost(t *testing.T) {
	l := Ledger{Offered: 1000, NotSent: 10, Sent: 990, Delivered: Count(700), Undecided: 90}
	if got := l.Lost(); got != 200 {
		t.Errorf("lost %d, want 200: what was not sent is no loss, what is undecided is none", got)
	}
	l = Ledger{Sent: 990, Aggregated: Count(800), UploadFailed: Count(10)}
	if got := l.Lost(); got != 200 || !l.LossKnown() {
		t.Errorf("lost %d, want 200: where the output is not counted, what the target says it passed on came through", got)
	}
	l = Ledger{Offered: 1000, GivenUp: 10, Sent: 990, Delivered: Count(990)}
	if got := l.Lost(); got != 0 {
		t.Errorf("lost %d, want 0: what was given up was never sent", got)
	}
	l = Ledger{Sent: 990, Received: Count(990)}
	if l.LossKnown() {
		t.Error("what is only known to be received may still be lost")
	}
}
