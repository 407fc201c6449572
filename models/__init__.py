"""The science of Fetal-Health: signals, images, growth, fusion, calibration, bundles and data sets.

Nothing here knows of the web, of a database or of Flower.
"""
