module payrelay/client/go

go 1.24
