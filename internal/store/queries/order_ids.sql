-- name: ShopNumber :one
SELECT number FROM shops WHERE id = $1;

-- name: ShopOfNumber :one
SELECT id FROM shops WHERE number = $1;
