package card

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestACardIsGoodUntilItsLastDayHasEndedEverywhere(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, time.January, 1, 11, 59, 59, 0, time.UTC) // 31 December at the western edge of the date line
	for name, tc := range map[string]struct {
		expiry Expiry
		now    time.Time
		over   bool
	}{
		"none given":                          {Expiry{}, now, false},
		"a month without a year":              {Expiry{Month: 1}, now, false},
		"a year without a month":              {Expiry{Year: 2020}, now, false},
		"years ago":                           {Expiry{12, 2020}, now, true},
		"this month":                          {Expiry{1, 2027}, now, false},
		"last month, one second left":         {Expiry{12, 2026}, now, false},
		"last month, over":                    {Expiry{12, 2026}, now.Add(time.Second), true},
		"the month before":                    {Expiry{11, 2026}, now, true},
		"the same instant in a far time zone": {Expiry{12, 2026}, now.In(time.FixedZone("", 14*3600)), false},
		"a leap year's February":              {Expiry{2, 2028}, time.Date(2028, 3, 1, 11, 0, 0, 0, time.UTC), false},
		"far away":                            {Expiry{12, 2099}, now, false},
	} {
		require.Equal(t, tc.over, tc.expiry.Over(tc.now), name)
	}
}
