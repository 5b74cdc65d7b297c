package store

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/secrets"
	"payrelay/internal/store/internal/db"
)

var _ payment.TransactionReportStore = (*Store)(nil)

// CreateTransactionReport implements payment.TransactionReportStore.
func (s *Store) CreateTransactionReport(ctx context.Context, st *payment.TransactionReport) error {
	return s.read(ctx, "create a statement", func(ctx context.Context, q *db.Queries) error {
		_, err := q.InsertTransactionReport(ctx, db.InsertTransactionReportParams{
			ShopID: st.Shop, ID: st.ID, AccountID: st.AccountID, AccountName: st.AccountName, Type: string(st.Type), StatusFilter: string(st.Status),
			FromAt: st.From, ToAt: st.To, State: string(st.State), Task: text(st.Task), Failure: text(st.Failure), Columns: texts(st.Columns),
			RowCount: int32(st.Rows), Polls: int32(st.Polls), //nolint:gosec // counts, bounded by the sheet's reader and by the horizon
			CreatedAt: st.CreatedAt, UpdatedAt: st.UpdatedAt, NextPollAt: st.NextPollAt,
		})
		return err
	})
}

// TransactionReport implements payment.TransactionReportStore.
func (s *Store) TransactionReport(ctx context.Context, shop, id uuid.UUID) (*payment.TransactionReport, error) {
	return s.oneTransactionReport(ctx, func(ctx context.Context, q *db.Queries) (db.TransactionReport, error) {
		return q.TransactionReportByID(ctx, db.TransactionReportByIDParams{ShopID: shop, ID: id})
	})
}

// FindTransactionReport returns a statement of any shop, for operators.
func (s *Store) FindTransactionReport(ctx context.Context, id uuid.UUID) (*payment.TransactionReport, error) {
	return s.oneTransactionReport(ctx, func(ctx context.Context, q *db.Queries) (db.TransactionReport, error) {
		return q.TransactionReportAnywhere(ctx, id)
	})
}

func (s *Store) oneTransactionReport(ctx context.Context, get func(context.Context, *db.Queries) (db.TransactionReport, error)) (*payment.TransactionReport, error) {
	var r db.TransactionReport
	err := s.read(ctx, "load a statement", func(ctx context.Context, q *db.Queries) (err error) {
		r, err = get(ctx, q)
		return err
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, payment.ErrTransactionReportNotFound
	case err != nil:
		return nil, err
	}
	return transactionReportOf(&r), nil
}

// ListedTransactionReport is a statement and whose it is.
type ListedTransactionReport struct {
	*payment.TransactionReport
	ShopName string
}

// LatestTransactionReports returns up to limit statements of all shops, the newest first, for operators.
func (s *Store) LatestTransactionReports(ctx context.Context, limit int) ([]ListedTransactionReport, error) {
	var rows []db.LatestTransactionReportsRow
	err := s.read(ctx, "list statements", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.LatestTransactionReports(ctx, int32(limit)) //nolint:gosec // a page
		return err
	})
	if err != nil {
		return nil, err
	}
	list := make([]ListedTransactionReport, len(rows))
	for i := range rows {
		list[i] = ListedTransactionReport{transactionReportOf(&rows[i].TransactionReport), rows[i].ShopName}
	}
	return list, nil
}

func transactionReportOf(r *db.TransactionReport) *payment.TransactionReport {
	return &payment.TransactionReport{
		ID: r.ID, Shop: r.ShopID, AccountID: r.AccountID, AccountName: r.AccountName, Type: gateway.Kind(r.Type), Status: gateway.Status(r.StatusFilter),
		From: r.FromAt.UTC(), To: r.ToAt.UTC(), State: payment.TransactionReportState(r.State), Task: r.Task, Failure: r.Failure, Columns: r.Columns,
		Rows: int(r.RowCount), Polls: int(r.Polls), CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), NextPollAt: utc(r.NextPollAt),
	}
}

// SaveTransactionReport implements payment.TransactionReportStore.
func (s *Store) SaveTransactionReport(ctx context.Context, st *payment.TransactionReport) error {
	return s.read(ctx, "save a statement", func(ctx context.Context, q *db.Queries) error {
		n, err := q.UpdateTransactionReport(ctx, db.UpdateTransactionReportParams{
			ShopID: st.Shop, ID: st.ID, State: string(st.State), Task: text(st.Task), Failure: text(st.Failure), Columns: texts(st.Columns),
			RowCount: int32(st.Rows), Polls: int32(st.Polls), //nolint:gosec // counts, bounded by the sheet's reader and by the horizon
			UpdatedAt: st.UpdatedAt, NextPollAt: st.NextPollAt,
		})
		if err == nil && n == 0 {
			return errTransactionReportMoved(st)
		}
		return err
	})
}

// SaveTransactionReportRows implements payment.TransactionReportStore.
func (s *Store) SaveTransactionReportRows(ctx context.Context, st *payment.TransactionReport, rows []payment.TransactionReportRow) error {
	return s.writeWithin(ctx, rowsFactor*s.Limit, "save a statement's rows", func(ctx context.Context, tx pgx.Tx) error {
		q := db.New(tx)
		// The lock keeps two writers from putting their rows side by side.
		_, err := q.LockOpenTransactionReport(ctx, db.LockOpenTransactionReportParams{ShopID: st.Shop, ID: st.ID})
		if errors.Is(err, pgx.ErrNoRows) {
			return errTransactionReportMoved(st)
		}
		if err != nil {
			return err
		}
		if _, err := q.DeleteTransactionReportRows(ctx, db.DeleteTransactionReportRowsParams{ShopID: st.Shop, ReportID: st.ID}); err != nil {
			return err
		}
		keys, err := s.dataKeysOf(ctx, q, st.Shop, rows)
		if err != nil {
			return err
		}
		i := 0
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"transaction_report_rows"}, []string{"shop_id", "report_id", "row", "order_id", "fields"}, pgx.CopyFromFunc(func() ([]any, error) {
			if i == len(rows) {
				return nil, nil //nolint:nilnil // the end, as pgx wants it
			}
			fields, err := sealData(keys[rows[i].Order], rows[i].Fields, placeReportRow)
			if err != nil {
				return nil, err
			}
			row := []any{st.Shop, st.ID, int32(i), rows[i].Order, fields} //nolint:gosec // bounded by the sheet's reader
			i++
			return row, nil
		}))
		return err
	})
}

// dataKeysOf returns the keys of the orders that rows are about.
func (s *Store) dataKeysOf(ctx context.Context, q *db.Queries, shop uuid.UUID, rows []payment.TransactionReportRow) (map[uuid.UUID]*secrets.DataKey, error) {
	ids := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		ids[i] = r.Order
	}
	found, err := q.DataKeys(ctx, db.DataKeysParams{ShopID: shop, Orders: ids})
	if err != nil {
		return nil, err
	}
	keys := make(map[uuid.UUID]*secrets.DataKey, len(found))
	for _, f := range found {
		if keys[f.ID], err = s.dataKey(f.ID, f.DataKey); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// TransactionReportRows implements payment.TransactionReportStore.
func (s *Store) TransactionReportRows(ctx context.Context, shop, id uuid.UUID, cursor string, limit int) (payment.Page[payment.TransactionReportRow], error) {
	from, err := rowAfter(cursor)
	if err != nil {
		return payment.Page[payment.TransactionReportRow]{}, err
	}
	limit = pageSize(limit)
	var rows []db.TransactionReportRowsRow
	err = s.read(ctx, "read a statement's rows", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.TransactionReportRows(ctx, db.TransactionReportRowsParams{ShopID: shop, ReportID: id, FromRow: from, MaxRows: int32(limit) + 1}) //nolint:gosec // a page
		return err
	})
	if err != nil {
		return payment.Page[payment.TransactionReportRow]{}, err
	}
	page := payment.Page[payment.TransactionReportRow]{}
	if len(rows) > limit {
		page.Next = base64.RawURLEncoding.EncodeToString(strconv.AppendInt(nil, int64(rows[limit].Row), 10))
		rows = rows[:limit]
	}
	for _, r := range rows {
		said, err := s.evidenceOf(r.OrderID, r.DataKey, "transaction_report_rows", placeReportRow)
		if err != nil {
			return payment.Page[payment.TransactionReportRow]{}, err
		}
		fields := said.open(r.Fields)
		if fields == nil { // erased
			fields = gateway.ProviderData{}
		}
		page.Items = append(page.Items, payment.TransactionReportRow{Order: r.OrderID, Reference: r.Reference, Fields: fields})
	}
	return page, nil
}

// rowAfter returns the number of the row that a cursor leads to.
func rowAfter(cursor string) (int32, error) {
	if cursor == "" {
		return 0, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return 0, payment.ErrCursor
	}
	row, err := strconv.ParseInt(string(raw), 10, 32)
	if err != nil {
		return 0, payment.ErrCursor
	}
	return int32(row), nil
}

// OrdersNamed implements payment.TransactionReportStore.
func (s *Store) OrdersNamed(ctx context.Context, ids []string) ([]payment.NamedOrder, error) {
	var rows []db.OrdersNamedRow
	err := s.read(ctx, "look up the orders of a list", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.OrdersNamed(ctx, ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	orders := make([]payment.NamedOrder, len(rows))
	for i, r := range rows {
		orders[i] = payment.NamedOrder{
			Key: payment.Key{Shop: r.ShopID, Order: r.ID}, Account: r.AccountID, Parent: r.ParentID,
			ProviderOrderID: r.ProviderOrderID, ProviderReference: r.ProviderReference, Imported: r.Imported,
		}
	}
	return orders, nil
}

func errTransactionReportMoved(st *payment.TransactionReport) error {
	return fmt.Errorf("statement %s is not as it was loaded: somebody else took this step", st.ID)
}

// LeaseDueTransactionReports returns up to limit statements whose next step is due, the longest due first: of each account one, and of
// busy ones none. Each is due again after lease: a step that came to its end has set a time of its own by then, and one whose process
// died is made up for. Several processes may call it at once and never get the same statement.
func (s *Store) LeaseDueTransactionReports(ctx context.Context, busy []uuid.UUID, limit int, lease time.Duration) ([]payment.DueTransactionReport, error) {
	var leased []payment.DueTransactionReport
	busy = append([]uuid.UUID{}, busy...)
	now := s.Now()
	err := s.leaseDue(ctx, due{
		doing: "lease due statements",
		shops: func(ctx context.Context, q *db.Queries, most int32) ([]uuid.UUID, error) {
			return q.ShopsOfDueTransactionReports(ctx, db.ShopsOfDueTransactionReportsParams{Now: now, Busy: busy, MaxRows: most})
		},
		take: func(ctx context.Context, q *db.Queries, shop *uuid.UUID, most int32) (int, error) {
			rows, err := q.LeaseDueTransactionReports(ctx, db.LeaseDueTransactionReportsParams{Now: now, ShopID: shop, Busy: busy, LeasedUntil: now.Add(lease), MaxRows: most})
			for _, r := range rows {
				leased = append(leased, payment.DueTransactionReport{TransactionReportKey: payment.TransactionReportKey{Shop: r.ShopID, TransactionReport: r.ID}, Account: r.AccountID})
				busy = append(busy, r.AccountID)
			}
			return len(rows), err
		},
	}, limit)
	return leased, err
}

// RenewTransactionReport lets the lease of a statement end later. One that is ready or failed meanwhile is left alone.
func (s *Store) RenewTransactionReport(ctx context.Context, key payment.TransactionReportKey, lease time.Duration) error {
	return s.read(ctx, "renew a statement's lease", func(ctx context.Context, q *db.Queries) error {
		_, err := q.RenewTransactionReport(ctx, db.RenewTransactionReportParams{LeasedUntil: s.Now().Add(lease), ShopID: key.Shop, ID: key.TransactionReport})
		return err
	})
}
