package testcard

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNumbers(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]bool{
		"4012 0000 0000 3010": true, "4003-8301-7187-4018": true, "4012000000003011": false, "411111111111": false,
	} {
		digits, ok := Digits(typed)
		require.True(t, ok)
		require.Equal(t, want, Luhn(digits), typed)
	}
	for _, bad := range []string{"", "4012", "4012x00000003010", "40120000000030104012"} {
		_, ok := Digits(bad)
		require.False(t, ok, bad)
	}
	require.Equal(t, "401200******3010", Mask("4012000000003010"))
	require.Equal(t, "****", Mask("1234"))
	require.Equal(t, []string{"VISA", "AMEX", "MASTERCARD"}, []string{Brand("4"), Brand("37"), Brand("55")})
}

func TestExpiryIsTheEndOfTheMonth(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC)
	require.True(t, ExpiryValid(11, 26, now))
	require.False(t, ExpiryValid(10, 26, now))
	require.False(t, ExpiryValid(11, 26, now.Add(2*time.Hour)))
	require.False(t, ExpiryValid(13, 30, now))
	require.False(t, ExpiryValid(1, 99, now))
}

func TestSpaced(t *testing.T) {
	t.Parallel()
	for digits, want := range map[string]string{"4012000000003010": "4012 0000 0000 3010", "378282246310005": "3782 8224 6310 005", "12": "12", "": ""} {
		require.Equal(t, want, Spaced(digits))
	}
}
