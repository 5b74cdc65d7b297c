package payment

import (
	"context"
	"io"
	"iter"

	"github.com/google/uuid"

	"payrelay/internal/limit"
)

// SheetWriter writes a spreadsheet of text to w: a header row of columns, then the rows by column name. An error of rows is
// returned.
type SheetWriter func(w io.Writer, columns []string, rows iter.Seq2[map[string]string, error]) error

// rowsPage is how many rows are read at once for a file.
const rowsPage = 500

// TransactionReportFile writes the shop's rows to w as a spreadsheet with the columns of the provider's list. filesAtOnce are written
// at once, half of them for one shop: more are CodeUnavailable. An error after the first byte leaves half a file with w.
func (s *Service) TransactionReportFile(ctx context.Context, shop, id uuid.UUID, w io.Writer) error {
	st, err := s.readyTransactionReport(ctx, shop, id)
	if err != nil {
		return err
	}
	if !s.files.TryTake(shop.String()) {
		return &Error{Code: CodeUnavailable, Message: "As many transaction report files as this server gives out at once are being read. Try again in a few seconds."}
	}
	defer s.files.Give(shop.String())
	return s.WriteSheet(w, st.Columns, s.fieldsOf(ctx, st))
}

// fieldsOf reads a transaction report's rows page by page.
func (s *Service) fieldsOf(ctx context.Context, st *TransactionReport) iter.Seq2[map[string]string, error] {
	return func(yield func(map[string]string, error) bool) {
		for cursor := ""; ; {
			page, err := s.TransactionReports.TransactionReportRows(ctx, st.Shop, st.ID, cursor, rowsPage)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, row := range page.Items {
				if !yield(row.Fields, nil) {
					return
				}
			}
			if cursor = page.Next; cursor == "" {
				return
			}
		}
	}
}

// TransactionReportRows returns up to limit of the shop's rows after a cursor.
func (s *Service) TransactionReportRows(ctx context.Context, shop, id uuid.UUID, cursor string, limit int) (Page[TransactionReportRow], error) {
	if _, err := s.readyTransactionReport(ctx, shop, id); err != nil {
		return Page[TransactionReportRow]{}, err
	}
	return s.TransactionReports.TransactionReportRows(ctx, shop, id, cursor, limit)
}

func (s *Service) readyTransactionReport(ctx context.Context, shop, id uuid.UUID) (*TransactionReport, error) {
	st, err := s.TransactionReports.TransactionReport(ctx, shop, id)
	if err != nil {
		return nil, err
	}
	if st.State != TransactionReportReady {
		return nil, &Error{Code: CodeInvalidState, Message: "The transaction report is " + string(st.State) + ". Its rows and its file can be read once it is ready."}
	}
	return st, nil
}

// ProviderFile writes the provider's whole spreadsheet to w, as the provider made it: with the rows of other shops, and with
// whatever card data the provider puts into it. It is for operators only. The provider is asked for it each time, for no
// longer than ProviderTimeout.
func (s *Service) ProviderFile(ctx context.Context, st *TransactionReport, w io.Writer) error {
	if st.State != TransactionReportReady {
		return &Error{Code: CodeInvalidState, Message: "The transaction report is " + string(st.State) + ". The provider's file can be read once it is ready."}
	}
	exporter, err := s.exporter(ctx, st)
	if err != nil {
		return err
	}
	_, _, err = callProvider(ctx, s, st.subject(), s.ProviderTimeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, exporter.DownloadTransactionReport(ctx, st.Task, w)
	})
	if err != nil {
		return providerFailed("The provider did not give the file. Try again later, or ask for a new transaction report.", err)
	}
	return nil
}

// filesAtOnce is how many transaction report files one service gives out at once, filesPerShop how many of them to one shop.
const (
	filesAtOnce  = 4
	filesPerShop = 2
)

// newFileSlots bounds how many transaction report files are given out at once.
func newFileSlots() *limit.Limiter {
	return limit.New(limit.Bounds{All: filesAtOnce, Each: filesPerShop})
}
