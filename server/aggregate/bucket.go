package aggregate

// bucket is one window of aggregation: what each contextKey came to between
// start and start+interval. Cells lie densely by key id.
type bucket struct {
	start    int64 // Unix nanoseconds
	view     view  // of the keys that the cells belong to; set when the bucket is closed
	active   int   // contextKeys seen
	points   []point
	cells    []*[chunkLen]cell
	sketches []sketch
	sets     []map[string]struct{}
}

// cell is what one contextKey came to in one bucket. Counters keep their sum,
// gauges their last value; for the other kinds ref-1 is the place of the set
// or the sketch.
type cell struct {
	value    float64
	messages uint32 // 0: the contextKey was not seen in this bucket
	ref      uint32
}

// point is one timestamped value, which is sent as it came.
type point struct {
	time  int64 // Unix seconds
	value float64
	key   uint32
}

// cell returns the cell of a key, making room for it when it is the first of
// its chunk.
func (b *bucket) cell(id uint32) *cell {
	chunk := int(id >> chunkBits)
	for chunk >= len(b.cells) {
		b.cells = append(b.cells, new([chunkLen]cell))
	}
	return &b.cells[chunk][id&(chunkLen-1)]
}

// use returns the cell of a key with one message more.
func (b *bucket) use(id uint32) *cell {
	c := b.cell(id)
	if c.messages == 0 {
		b.active++
	}
	c.messages++
	return c
}

// sketch returns the sketch of a cell, a new one when it has none.
func (b *bucket) sketch(c *cell) *sketch {
	if c.ref == 0 {
		if n := len(b.sketches); n < cap(b.sketches) {
			b.sketches = b.sketches[:n+1] // emptied by reset, its bins kept
		} else {
			b.sketches = append(b.sketches, sketch{})
		}
		c.ref = uint32(len(b.sketches))
	}
	return &b.sketches[c.ref-1]
}

// set returns the set of a cell, a new one when it has none.
func (b *bucket) set(c *cell) map[string]struct{} {
	if c.ref == 0 {
		if n := len(b.sets); n < cap(b.sets) {
			b.sets = b.sets[:n+1]
		} else {
			b.sets = append(b.sets, nil)
		}
		if b.sets[len(b.sets)-1] == nil {
			b.sets[len(b.sets)-1] = make(map[string]struct{})
		}
		c.ref = uint32(len(b.sets))
	}
	return b.sets[c.ref-1]
}

// reset empties the bucket for its next use. Clearing a million cells takes
// milliseconds, so the flush does it, never ingest.
func (b *bucket) reset() {
	for _, chunk := range b.cells {
		clear(chunk[:])
	}
	for i := range b.sketches {
		b.sketches[i].reset()
	}
	b.sketches = b.sketches[:0]
	for _, set := range b.sets {
		clear(set)
	}
	b.sets = b.sets[:0]
	b.points, b.active, b.view = b.points[:0], 0, view{}
}
