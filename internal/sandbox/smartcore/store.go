package smartcore

// store holds the orders of all merchants and forgets the oldest beyond its
// limit. It is guarded by the simulator's mutex.
type store struct {
	max          int
	byOrderID    map[orderKey]*Order
	byProcessing map[string]*Order
	byUUID       map[string]*Order
	sequence     []*Order
}

type orderKey struct{ merchant, orderID string }

func newStore(limit int) *store {
	return &store{
		max: limit, byOrderID: map[orderKey]*Order{}, byProcessing: map[string]*Order{}, byUUID: map[string]*Order{},
	}
}

// add stores an order and forgets the oldest one when there are too many.
func (s *store) add(o *Order) {
	if !o.Back() {
		s.byOrderID[orderKey{o.Merchant, o.OrderID}] = o
	}
	s.byProcessing[o.ProcessingID] = o
	if o.UUID != "" {
		s.byUUID[o.UUID] = o
	}
	s.sequence = append(s.sequence, o)
	if len(s.sequence) > s.max {
		s.forget(s.sequence[0])
		s.sequence[0] = nil
		s.sequence = s.sequence[1:]
	}
}

func (s *store) forget(o *Order) {
	if !o.Back() {
		delete(s.byOrderID, orderKey{o.Merchant, o.OrderID})
	}
	delete(s.byProcessing, o.ProcessingID)
	delete(s.byUUID, o.UUID)
}

func (s *store) order(merchant, orderID string) *Order {
	return s.byOrderID[orderKey{merchant, orderID}]
}

// anyMerchant finds an order by its merchant id whoever owns it, the newest first.
func (s *store) anyMerchant(orderID string) *Order {
	for i := len(s.sequence) - 1; i >= 0; i-- {
		if o := s.sequence[i]; !o.Back() && o.OrderID == orderID {
			return o
		}
	}
	return s.byUUID[orderID]
}

func (s *store) refundsOf(payment *Order) []*Order {
	var out []*Order
	for _, o := range s.sequence {
		if o.Back() && o.parent == payment {
			out = append(out, o)
		}
	}
	return out
}
