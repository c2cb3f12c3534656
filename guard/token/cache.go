package token

import "sync"

// cache keeps the tokens that verified lately, the least recently used pushed out first. The entries are in one slice that is
// linked by index, so that a full cache costs the collector nothing.
type cache struct {
	mu    sync.Mutex // guards the fields below
	most  int
	index map[[32]byte]int32
	slots []slot // slots[0] is the ring's anchor: next is the newest, prev the oldest
	free  []int32
}

type slot struct {
	hash       [32]byte
	p          Passport
	prev, next int32
}

func newCache(most int) *cache {
	return &cache{most: most, index: map[[32]byte]int32{}, slots: make([]slot, 1)}
}

func (c *cache) get(hash [32]byte) (Passport, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.index[hash]
	if !ok {
		return Passport{}, false
	}
	c.unlink(i)
	c.pushFront(i)
	return c.slots[i].p, true
}

func (c *cache) put(hash [32]byte, p Passport) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.index[hash]; ok {
		return
	}
	if len(c.index) >= c.most {
		c.remove(c.slots[0].prev)
	}
	i := int32(len(c.slots))
	if n := len(c.free); n > 0 {
		i, c.free = c.free[n-1], c.free[:n-1]
	} else {
		c.slots = append(c.slots, slot{})
	}
	c.slots[i] = slot{hash: hash, p: p}
	c.index[hash] = i
	c.pushFront(i)
}

func (c *cache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.index)
}

func (c *cache) drop(hash [32]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i, ok := c.index[hash]; ok {
		c.remove(i)
	}
}

func (c *cache) remove(i int32) {
	c.unlink(i)
	delete(c.index, c.slots[i].hash)
	c.slots[i] = slot{}
	c.free = append(c.free, i)
}

func (c *cache) unlink(i int32) {
	s := c.slots[i]
	c.slots[s.prev].next, c.slots[s.next].prev = s.next, s.prev
}

func (c *cache) pushFront(i int32) {
	first := c.slots[0].next
	c.slots[i].prev, c.slots[i].next = 0, first
	c.slots[first].prev = i
	c.slots[0].next = i
}
