"""Menu trees and notices as supervisors put them on the air, and what callers made of them."""
