module entrepot.test/oracles/cases

go 1.26
