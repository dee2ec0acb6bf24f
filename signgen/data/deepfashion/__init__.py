"""DeepFashion In-shop: photographs of garments in several views, the other corpus of FPDM."""
