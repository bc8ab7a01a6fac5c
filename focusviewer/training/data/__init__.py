"""What is learned from: sharp pictures, simulated crops, focal stacks, and banks of them."""
