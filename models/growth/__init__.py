"""Fetal growth: standards, estimated weight, dating, consensus criteria, probability of small or large for age."""
