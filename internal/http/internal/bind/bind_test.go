package bind_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/http/internal/bind"
)

type model struct {
	Text    string            `json:"text"`
	Maybe   *string           `json:"maybe,omitempty"`
	Count   int64             `json:"count"`
	Yes     *bool             `json:"yes,omitempty"`
	ID      *uuid.UUID        `json:"id,omitempty"`
	At      time.Time         `json:"at"`
	Texts   map[string]string `json:"texts"`
	Inner   *model            `json:"inner,omitempty"`
	List    *[]int            `json:"list,omitempty"`
	Ignored int
}

func TestAModelIsFilledAsByJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, `{"text":"a","maybe":null,"count":-7,"yes":false,"id":"0193f0a2-6d1c-7c7b-9d53-0f6f1c2b7a10","at":"2026-01-31T12:00:00+02:00"}`,
		`{"count":9007199254740993,"texts":{"a":"b","":"ä"},"inner":{"inner":{"maybe":"x","texts":{}},"yes":true},"unknown":[1]}`, `null`, `{"list":[3,1]}`, `{"list":[]}`,
	} {
		var want, got model
		require.NoError(t, json.Unmarshal([]byte(text), &want))
		require.NoError(t, bind.To(parsed(t, text), &got))
		require.Equal(t, want, got, text)
	}
}

func TestWhatDoesNotFitIsNamedAndNotRepeated(t *testing.T) {
	t.Parallel()
	for text, field := range map[string]string{
		`{"text":1}`: "text", `{"maybe":true}`: "maybe", `{"count":"6611"}`: "count", `{"count":9223372036854775808}`: "count", `{"count":1.5}`: "count", `{"count":1e3}`: "count",
		`{"yes":"yes"}`: "yes", `{"id":"6611"}`: "id", `{"at":"6611"}`: "at", `{"inner":{"texts":{"a":6611}}}`: "inner.texts.a", `{"inner":[6611]}`: "inner", `{"text":{}}`: "text", `{"list":6611}`: "list", `{"list":[1,"6611"]}`: "list.1", `{"text":[]}`: "text", `[]`: "", `6611`: "",
	} {
		err := bind.To(parsed(t, text), &model{})
		var wrong *bind.Error
		require.ErrorAs(t, err, &wrong, text)
		require.Equal(t, field, wrong.Field)
		require.NotContains(t, err.Error(), "6611")
	}
}

func parsed(t *testing.T, text string) (value any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	require.NoError(t, d.Decode(&value))
	return value
}
