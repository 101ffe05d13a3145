// Package loadgen offers an exact load: so many messages, each at its own
// instant, and an account of what became of each.
//
// Three parts meet in the generator and know nothing of each other:
//
//	Schedule  when each message is due: pure integers, no clock
//	Corpus    what the messages are: every datagram prepared and seeded before the clock starts
//	Sender    how datagrams are handed to the kernel: in batches (sendmmsg), in runs (UDP GSO),
//	          one by one, as frames or lines of a stream, or through a client library
//
// The Generator is a thin shell around a pure plan: it reads the clock, hands
// over what is due, records how late it was, and sleeps until something is due
// again. It counts messages offered, sent, given up for want of room and not sent;
// datagrams sent; the lateness of each datagram; refusals of the socket by cause;
// time blocked by a full receiver; and its own CPU time. Ceiling says how much it
// could offer at most.
package loadgen
