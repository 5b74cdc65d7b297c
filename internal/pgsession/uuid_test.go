package pgsession_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"payrelay/internal/pgsession"
	"payrelay/internal/store/storetest"
)

func TestIDsTravelAsTheirBytes(t *testing.T) {
	t.Parallel()
	conn, err := connect(t, storetest.URL(t), false)
	require.NoError(t, err)
	types := conn.TypeMap()
	require.NoError(t, pgsession.Prepare(t.Context(), conn))
	id := uuid.New()
	sent, err := types.Encode(pgtype.UUIDOID, pgtype.BinaryFormatCode, id, nil)
	require.NoError(t, err)
	require.Equal(t, id[:], sent)
	require.Equal(t, "pgsession.encodeID", fmt.Sprintf("%T", types.PlanEncode(pgtype.UUIDOID, pgtype.BinaryFormatCode, id)), "no text is made of it")
	require.Equal(t, "pgsession.scanID", fmt.Sprintf("%T", types.PlanScan(pgtype.UUIDOID, pgtype.BinaryFormatCode, new(uuid.UUID))))
	var got uuid.UUID
	require.NoError(t, types.Scan(pgtype.UUIDOID, pgtype.BinaryFormatCode, sent, &got))
	require.Equal(t, id, got)
	require.Error(t, types.Scan(pgtype.UUIDOID, pgtype.BinaryFormatCode, sent[1:], &got))
	require.Error(t, types.Scan(pgtype.UUIDOID, pgtype.BinaryFormatCode, nil, &got), "null is no id")
}

// Prepared or not, ids, none, and arrays of both come back as they were sent.
func TestIDsInEveryMode(t *testing.T) {
	t.Parallel()
	conn, err := connect(t, storetest.URL(t), false)
	require.NoError(t, err)
	require.NoError(t, pgsession.Prepare(t.Context(), conn))
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		one, two := uuid.New(), uuid.New()
		var id uuid.UUID
		var none, some *uuid.UUID
		var all []uuid.UUID
		var holed []*uuid.UUID
		err := conn.QueryRow(t.Context(), "SELECT $1::uuid, $2::uuid, $3::uuid, $4::uuid[], $5::uuid[]", mode,
			one, none, &two, []uuid.UUID{one, two}, []*uuid.UUID{nil, &one}).Scan(&id, &none, &some, &all, &holed)
		require.NoError(t, err, mode)
		require.Equal(t, one, id, mode)
		require.Nil(t, none, mode)
		require.Equal(t, &two, some, mode)
		require.Equal(t, []uuid.UUID{one, two}, all, mode)
		require.Equal(t, []*uuid.UUID{nil, &one}, holed, mode)
		var empty []uuid.UUID
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT array_agg(u) FROM unnest($1::uuid[]) AS u", mode, []uuid.UUID{}).Scan(&empty), mode)
		require.Empty(t, empty, mode)
	}
}
