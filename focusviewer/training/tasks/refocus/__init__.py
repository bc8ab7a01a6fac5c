"""The selector of the fast refocusing engine, and the networks it is compared with."""
