"""Training sites: their data, how one data set is divided among simulated sites, and whether a site can take part."""
