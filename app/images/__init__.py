"""Pictures: from the bytes of a file to the numbers a network reads. Knows neither HTTP nor TensorFlow."""

import cv2

# A process is to keep one core busy. With two threads, fitting a photograph takes 1.6 ms of CPU instead of 0.7, and no
# less time.
cv2.setNumThreads(1)
