package record

import "testing"

// Lines that a target must refuse are no losses when it does, and only then.
func TestHostileLinesAreNoLosses(t *testing.T) {
	check := func(why string, l Ledger, lost, unattributed, unaccounted int64) {
		t.Helper()
		l.Balance()
		if l.Lost() != lost || l.Unattributed != unattributed || l.Unaccounted != unaccounted {
			t.Errorf("%s: %d lost, %d unattributed, %d unaccounted, want %d, %d and %d", why, l.Lost(), l.Unattributed, l.Unaccounted, lost, unattributed, unaccounted)
		}
	}
	sent := Ledger{Offered: 100, Sent: 100, Hostile: 10, KernelDropped: Count(0), Received: Count(100)}
	with := func(malformed, truncated, aggregated, delivered int64) Ledger {
		l := sent
		l.Malformed, l.Truncated, l.Aggregated, l.Delivered = Count(malformed), Count(truncated), Count(aggregated), Count(delivered)
		return l
	}
	check("it refuses just those", with(8, 2, 90, 90), 0, 0, 0)
	check("it refuses five more", with(13, 2, 85, 85), 5, 0, 0)
	check("it takes three for messages, which show nowhere", with(7, 0, 93, 90), 3, 0, 3)
	dropped := with(6, 0, 54, 54)
	dropped.KernelDropped, dropped.Received = Count(40), Count(60)
	check("four of those that the kernel dropped were hostile; they are lost all the same", dropped, 40, 0, 0)
	check("a target that tells nothing", Ledger{Offered: 100, Sent: 100, Hostile: 10, Delivered: Count(90)}, 0, 0, 0)
	check("a target that tells nothing, and has lost five", Ledger{Offered: 100, Sent: 100, Hostile: 10, Delivered: Count(85)}, 5, 5, 0)
}
