package fault

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTakeMatchesAndCountsDown(t *testing.T) {
	t.Parallel()
	var s Set
	for _, f := range []Fault{
		{Kind: DropAfter, Endpoint: "check", Count: 2},
		{Kind: DropAfter, Count: 1},
		{Kind: DelayBefore, OrderID: "a", DelayMS: 3_600_000},
	} {
		_, err := s.Add(f)
		require.NoError(t, err)
	}
	require.Equal(t, []string{"drop_after", "delay_before"}, s.Take("check", "a", HTTP...).Kinds())
	require.Empty(t, s.Take("check", "a", Check...))
	require.Equal(t, []string{"drop_after"}, s.Take("refund", "b", HTTP...).Kinds()) // the second switch, now used up
	require.Equal(t, []string{"drop_after"}, s.Take("check", "b", HTTP...).Kinds())
	require.Empty(t, s.Take("check", "b", HTTP...))
	require.Len(t, s.List(), 1)
	require.True(t, s.Remove(s.List()[0].ID))
	require.False(t, s.Remove("99"))

	for _, bad := range []Fault{
		{Kind: "nonsense"},
		{Kind: DropAfter, Count: -1},
		{Kind: CallbackDuplicate, Times: 101},
		{Kind: DelayBefore},
		{Kind: DelayAfter},
		{Kind: CallbackLate},
		{Kind: DelayBefore, DelayMS: 3_600_001},
	} {
		_, err := s.Add(bad)
		require.Error(t, err)
	}
}
