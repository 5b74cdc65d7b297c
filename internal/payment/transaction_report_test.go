package payment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
)

// reportFixture is the use cases over one statement in memory, with a provider that follows a script: it starts
// task-1, which is ready at once and holds two lines, each the name of an order of the shop.
type reportFixture struct {
	*Service
	fake     *gatewaytest.Fake
	now      time.Time
	kept     TransactionReport
	orders   []NamedOrder
	rows     []TransactionReportRow
	saveErr  error // of SaveStatement
	saveRows error // of SaveStatementRows
}

func newReportFixture(t *testing.T) *reportFixture {
	t.Helper()
	b := &reportFixture{now: epoch, fake: &gatewaytest.Fake{
		StartTransactionReportFunc: func(context.Context, gateway.TransactionReportRequest) (string, error) { return "task-1", nil },
		TransactionReportReadyFunc: func(context.Context, string) (bool, error) { return true, nil },
		DownloadTransactionReportFunc: func(_ context.Context, _ string, w io.Writer) error {
			_, err := io.WriteString(w, "order-one\norder-two\n")
			return err
		},
	}}
	b.Service = New(Config{Store: oneAccount{}, TransactionReports: b, Drivers: gateway.NewRegistry(b.fake), ReadSheet: readLines, Now: func() time.Time { return b.now }})
	b.kept = TransactionReport{
		ID: uuid.New(), Shop: uuid.New(), Type: gateway.KindPayment, Status: gateway.StatusSucceeded,
		From: epoch.Add(-time.Hour), To: epoch, State: TransactionReportCreated, CreatedAt: epoch, UpdatedAt: epoch, NextPollAt: &epoch,
	}
	b.orders = []NamedOrder{b.order("order-one", "at-provider-1"), b.order("order-two", "")}
	return b
}

// order is an order of the statement's shop and account.
func (b *reportFixture) order(ours, theirs string) NamedOrder {
	return NamedOrder{Key: Key{b.kept.Shop, uuid.New()}, Account: b.kept.AccountID, ProviderOrderID: ours, ProviderReference: theirs}
}

// readLines is a sheet whose rows are lines.
func readLines(r io.Reader) (columns []string, rows []map[string]string, err error) {
	all, err := io.ReadAll(r)
	if err != nil {
		return nil, nil, fmt.Errorf("read lines: %w", err)
	}
	for line := range strings.Lines(string(all)) {
		rows = append(rows, map[string]string{"line": strings.TrimSpace(line)})
	}
	return []string{"line"}, rows, nil
}

// oneAccount is a store that knows one account and nothing else.
type oneAccount struct{ Store }

func (oneAccount) Account(context.Context, uuid.UUID) (Account, error) {
	return Account{Name: "EUR-1", Provider: "fake", Currency: "EUR"}, nil
}

func (b *reportFixture) CreateTransactionReport(context.Context, *TransactionReport) error {
	return nil
}

func (b *reportFixture) TransactionReport(context.Context, uuid.UUID, uuid.UUID) (*TransactionReport, error) {
	st := b.kept
	return &st, nil
}

func (b *reportFixture) SaveTransactionReport(_ context.Context, st *TransactionReport) error {
	if b.saveErr != nil {
		return b.saveErr
	}
	if st.Polls != b.kept.Polls+1 {
		return fmt.Errorf("polls went from %d to %d", b.kept.Polls, st.Polls)
	}
	b.kept = *st
	return nil
}

func (b *reportFixture) SaveTransactionReportRows(_ context.Context, _ *TransactionReport, rows []TransactionReportRow) error {
	if b.saveRows == nil {
		b.rows = rows
	}
	return b.saveRows
}

func (b *reportFixture) OrdersNamed(_ context.Context, ids []string) ([]NamedOrder, error) {
	var found []NamedOrder
	for _, o := range b.orders {
		if slices.Contains(ids, o.ProviderOrderID) || slices.Contains(ids, o.ProviderReference) {
			found = append(found, o)
		}
	}
	return found, nil
}

// TransactionReportRows gives two rows at once, whatever the limit.
func (b *reportFixture) TransactionReportRows(_ context.Context, _, _ uuid.UUID, cursor string, _ int) (Page[TransactionReportRow], error) {
	from, _ := strconv.Atoi(cursor)
	page := Page[TransactionReportRow]{Items: b.rows[from:min(from+2, len(b.rows))]}
	if from+2 < len(b.rows) {
		page.Next = strconv.Itoa(from + 2)
	}
	return page, nil
}

// advance takes a step as the background does.
func (b *reportFixture) advance(ctx context.Context) error {
	return b.AdvanceTransactionReport(ctx, b.kept.Shop, b.kept.ID)
}

// started brings the statement to its task.
func (b *reportFixture) started(t *testing.T) {
	t.Helper()
	require.NoError(t, b.advance(t.Context()))
	require.Equal(t, TransactionReportProcessing, b.kept.State)
	require.Equal(t, "task-1", b.kept.Task)
	require.Equal(t, b.now.Add(2*time.Second), *b.kept.NextPollAt)
}

// stillOpen checks that the last step changed nothing but when the next one is due.
func (b *reportFixture) stillOpen(t *testing.T) {
	t.Helper()
	require.Equal(t, TransactionReportProcessing, b.kept.State)
	require.True(t, b.kept.NextPollAt.After(b.now))
	require.Empty(t, b.kept.Failure)
	require.Zero(t, b.kept.Rows)
}

func (b *reportFixture) recovers(t *testing.T) {
	t.Helper()
	require.NoError(t, b.advance(t.Context()))
	require.Equal(t, TransactionReportReady, b.kept.State)
	require.Equal(t, 2, b.kept.Rows)
	require.Nil(t, b.kept.NextPollAt)
	require.Equal(t, []string{"line"}, b.kept.Columns)
	require.Equal(t, []TransactionReportRow{
		{Order: b.orders[0].Key.Order, Fields: map[string]string{"line": "order-one"}},
		{Order: b.orders[1].Key.Order, Fields: map[string]string{"line": "order-two"}},
	}, b.rows)
}

func TestStatementIsAskedForThenRead(t *testing.T) {
	t.Parallel()
	b := newReportFixture(t)
	b.started(t)
	b.fake.TransactionReportReadyFunc = func(context.Context, string) (bool, error) { return false, nil }
	require.NoError(t, b.advance(t.Context()))
	b.stillOpen(t)
	b.fake.TransactionReportReadyFunc = func(context.Context, string) (bool, error) { return true, nil }
	b.recovers(t)
	require.NoError(t, b.advance(t.Context()), "a late job finds nothing to do")
	require.Equal(t, 3, b.kept.Polls)
}

func TestStatementStepThatFailsIsTakenAgain(t *testing.T) {
	t.Parallel()
	broken := &gateway.Error{Kind: gateway.KindUnknown, Op: "export", Code: "http_502"}
	download := func(err error, text string) func(*reportFixture) {
		return func(b *reportFixture) {
			b.fake.DownloadTransactionReportFunc = func(_ context.Context, _ string, w io.Writer) error {
				if _, werr := io.WriteString(w, text); werr != nil {
					return werr
				}
				return err
			}
		}
	}
	for name, harm := range map[string]func(*reportFixture){
		"status unknown": func(b *reportFixture) {
			b.fake.TransactionReportReadyFunc = func(context.Context, string) (bool, error) { return false, broken }
		},
		"credentials refused": func(b *reportFixture) {
			b.fake.TransactionReportReadyFunc = func(context.Context, string) (bool, error) {
				return false, &gateway.Error{Kind: gateway.KindCredentials}
			}
		},
		"no download":          download(broken, ""),
		"half a download":      download(broken, "order-one\n"),
		"rows cannot be saved": func(b *reportFixture) { b.saveRows = errors.New("disk full") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newReportFixture(t)
			b.started(t)
			whole, ready := b.fake.DownloadTransactionReportFunc, b.fake.TransactionReportReadyFunc
			harm(b)
			require.Error(t, b.advance(t.Context()), "whoever runs the step is told")
			b.stillOpen(t)
			b.saveRows, b.fake.DownloadTransactionReportFunc, b.fake.TransactionReportReadyFunc = nil, whole, ready
			b.recovers(t)
		})
	}
}

func TestStatementThatCannotBeReadFails(t *testing.T) {
	t.Parallel()
	b := newReportFixture(t)
	b.started(t)
	b.ReadSheet = func(io.Reader) ([]string, []map[string]string, error) {
		return nil, nil, errors.New("not a workbook")
	}
	require.ErrorContains(t, b.advance(t.Context()), "not a workbook")
	require.Equal(t, TransactionReportFailed, b.kept.State)
	require.Equal(t, transactionReportUnreadable, b.kept.Failure)
	require.Nil(t, b.kept.NextPollAt)
}

func TestStatementThatTheProviderRefusesFails(t *testing.T) {
	t.Parallel()
	for _, kind := range []gateway.ErrorKind{gateway.KindDeclined, gateway.KindInvalid, gateway.KindUnsupported} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			b := newReportFixture(t)
			b.fake.StartTransactionReportFunc = func(context.Context, gateway.TransactionReportRequest) (string, error) {
				return "", &gateway.Error{Kind: kind, Op: "export"}
			}
			require.Error(t, b.advance(t.Context()))
			require.Equal(t, TransactionReportFailed, b.kept.State)
			require.Equal(t, transactionReportNotMade, b.kept.Failure)
			require.Nil(t, b.kept.NextPollAt)
		})
	}
}

func TestStatementEndsAtItsHorizon(t *testing.T) {
	t.Parallel()
	b := newReportFixture(t)
	b.started(t)
	b.now = epoch.Add(transactionReportHorizon + time.Second)
	b.fake.TransactionReportReadyFunc = func(context.Context, string) (bool, error) {
		panic("a step that kills the process must not be taken for ever")
	}
	require.NoError(t, b.advance(t.Context()))
	require.Equal(t, TransactionReportFailed, b.kept.State)
	require.Equal(t, transactionReportNotMade, b.kept.Failure)
}

func TestStatementWhoseProgressIsLostIsReadAgain(t *testing.T) {
	t.Parallel()
	b := newReportFixture(t)
	b.started(t)
	b.saveErr = errors.New("the process died")
	require.ErrorIs(t, b.advance(t.Context()), b.saveErr)
	require.Len(t, b.rows, 2)
	require.Equal(t, TransactionReportProcessing, b.kept.State)
	b.saveErr = nil
	b.recovers(t)
}

func TestStatementDownloadIsBoundedInTime(t *testing.T) {
	t.Parallel()
	b := newReportFixture(t)
	b.started(t)
	b.ProviderTimeout = 20 * time.Millisecond
	b.fake.DownloadTransactionReportFunc = func(ctx context.Context, _ string, _ io.Writer) error {
		<-ctx.Done()
		return &gateway.Error{Kind: gateway.KindUnknown, Op: "export", Err: ctx.Err()}
	}
	require.ErrorIs(t, b.advance(t.Context()), context.DeadlineExceeded)
	b.stillOpen(t)

	b.kept.State = TransactionReportReady
	err := b.ProviderFile(t.Context(), &b.kept, io.Discard)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, CodeProviderFailed, CodeOf(err))
}

// Files may be large: so many are given out at once.
func TestStatementFilesAreGivenOutAFewAtOnce(t *testing.T) {
	t.Parallel()
	b := newReportFixture(t)
	b.kept.State = TransactionReportReady
	started, read := make(chan bool), make(chan bool)
	b.WriteSheet = func(io.Writer, []string, iter.Seq2[map[string]string, error]) error {
		started <- true
		<-read
		return nil
	}
	file := func() error { return b.TransactionReportFile(t.Context(), b.kept.Shop, b.kept.ID, io.Discard) }
	var all errgroup.Group
	for range filesPerShop {
		all.Go(file)
		<-started
	}
	require.Equal(t, CodeUnavailable, CodeOf(file()), "the rest is for other shops")
	close(read)
	require.NoError(t, all.Wait())
	all.Go(file)
	<-started
	require.NoError(t, all.Wait())

	f := newFileSlots()
	shops := []string{"one", "another", "a third"}
	for range filesPerShop {
		require.True(t, f.TryTake(shops[0]))
		require.True(t, f.TryTake(shops[1]))
	}
	require.False(t, f.TryTake(shops[2]), "all are taken")
	f.Give(shops[0])
	require.True(t, f.TryTake(shops[2]))
	require.False(t, f.TryTake(shops[0]))
}

// A list is read once it is here: a provider that hangs keeps nobody from reading another one. So many are read at once.
func TestStatementsAreReadAFewAtOnce(t *testing.T) {
	t.Parallel()
	b := newReportFixture(t)
	b.started(t)
	reading, read, hanging, end := make(chan bool), make(chan bool), make(chan bool), make(chan bool)
	b.ReadSheet = func(io.Reader) ([]string, []map[string]string, error) {
		reading <- true
		<-read
		return nil, nil, errors.New("not a workbook")
	}
	whole := b.fake.DownloadTransactionReportFunc
	b.fake.DownloadTransactionReportFunc = func(context.Context, string, io.Writer) error {
		hanging <- true
		<-end
		return &gateway.Error{Kind: gateway.KindUnknown, Op: "export"}
	}
	var all errgroup.Group
	step := func(ctx context.Context) error { st := b.kept; return b.stepTransactionReport(ctx, &st) }
	for range 2 * transactionReportsRead {
		all.Go(func() error { return step(t.Context()) })
		<-hanging
	}
	b.fake.DownloadTransactionReportFunc = whole
	for range transactionReportsRead {
		all.Go(func() error { return step(t.Context()) })
		<-reading
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, step(ctx), context.Canceled, "another one waits")
	close(read)
	close(end)
	require.Error(t, all.Wait())
	require.Equal(t, transactionReportsRead, b.reading.Free())
}

func TestStatementReaderThatPanicsLeavesRoomForTheNext(t *testing.T) {
	t.Parallel()
	b := newReportFixture(t)
	b.started(t)
	b.ReadSheet = func(io.Reader) ([]string, []map[string]string, error) { panic("malformed") }
	require.Panics(t, func() { _ = b.advance(t.Context()) })
	require.Equal(t, transactionReportsRead, b.reading.Free())
}

// A step is taken for as long as the statement may take, and to the end of it.
func TestStatementIsAdvancedUpToItsHorizon(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]TransactionReportState{
		29 * time.Minute:   TransactionReportReady,
		30 * time.Minute:   TransactionReportReady,
		30*time.Minute + 1: TransactionReportFailed,
	} {
		b := newReportFixture(t)
		b.started(t)
		b.now = epoch.Add(after)
		require.NoError(t, b.advance(t.Context()))
		require.Equal(t, want, b.kept.State, after)
	}
}

// A statement is wanted of an account of the shop's, whose provider makes them, and of a period that is not empty.
func TestStatementIsWrittenDown(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		account string
		plain   bool // the provider makes none
		length  time.Duration
		want    Code
	}{
		"an hour":                  {"main", false, time.Hour, ""},
		"the shortest":             {"main", false, 1, ""},
		"an empty period":          {"main", false, 0, CodeInvalid},
		"a period that ends first": {"main", false, -time.Hour, CodeInvalid},
		"no such account":          {"nobody's", false, time.Hour, CodeUnknownAccount},
		"a provider without":       {"main", true, time.Hour, CodeUnsupported},
	} {
		s, service := newShop(&gatewaytest.Fake{Plain: tc.plain})
		service.TransactionReports = newReportFixture(t)
		st, err := service.CreateTransactionReport(t.Context(), NewTransactionReport{Shop: uuid.New(), Account: tc.account, Type: gateway.KindPayment, From: epoch, To: epoch.Add(tc.length)})
		require.Equal(t, tc.want, CodeOf(err), name)
		if tc.want != "" {
			require.Nil(t, st, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, s.accounts[0].ID, st.AccountID, name)
		require.Equal(t, TransactionReportCreated, st.State, name)
		require.Equal(t, epoch, *st.NextPollAt, name)
	}
}
