module payrelay/examples/shop-go

go 1.24

require payrelay/client/go v0.0.0

replace payrelay/client/go => ../../client/go
