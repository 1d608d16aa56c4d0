"""From a network and a chip of your own to a design that was checked on the network itself."""
