"""What lies in folders of images, and which layouts of published data sets they follow."""
