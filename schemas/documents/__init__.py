"""JSON documents that cross from one program to another: their fields, read strictly."""
