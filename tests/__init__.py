"""What the product promises, one folder for each folder of the product."""
