"""The tour of a demo workspace: five persons and a shop, shown what the platform does with them."""
