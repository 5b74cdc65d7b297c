package clock

import (
	"cmp"
	"context"
	"time"
)

// Move is what moves the clock. Step is a day if it is empty, and all of it if Advance is shorter than that.
type Move struct {
	Advance string `json:"advance"`
	Step    string `json:"step"`
}

// View is the clock as a developer sees it.
type View struct {
	Now   time.Time `json:"now"`
	Moved string    `json:"moved"`
}

// View returns the clock as it is.
func (c *Clock) View() View { return View{c.Now().UTC(), c.Moved().String()} }

// Do moves the clock, and returns it as it is then.
func (c *Clock) Do(ctx context.Context, m Move) (View, error) {
	by, err := Parse(m.Advance)
	if err != nil {
		return View{}, err
	}
	step, err := Parse(cmp.Or(m.Step, "1d"))
	if err == nil {
		err = c.Advance(ctx, by, step)
	}
	return c.View(), err
}
