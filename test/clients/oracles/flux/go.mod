module entrepot.test/oracles/flux

go 1.26

require (
	entrepot.test/oracles/cases v0.0.0
	github.com/Masterminds/semver/v3 v3.5.0
)

replace entrepot.test/oracles/cases => ../cases
