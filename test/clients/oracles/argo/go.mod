module entrepot.test/oracles/argo

go 1.26

require (
	entrepot.test/oracles/cases v0.0.0
	github.com/Masterminds/semver/v3 v3.4.0
	oras.land/oras-go/v2 v2.6.2
)

require (
	github.com/opencontainers/go-digest v1.0.0 // indirect
	github.com/opencontainers/image-spec v1.1.1 // indirect
	golang.org/x/sync v0.22.0 // indirect
)

replace entrepot.test/oracles/cases => ../cases
