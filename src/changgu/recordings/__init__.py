"""Recorded conversations: made by the queue's policy, kept as long as they may be, heard by those who may."""
