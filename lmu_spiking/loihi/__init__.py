"""The same networks on Loihi: emulator and board."""
