"""Human parsing: label sets and their regions, label maps, and networks that make them."""
