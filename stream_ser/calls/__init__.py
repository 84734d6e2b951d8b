"""What other systems speak to bring calls in: plain PCM, Twilio, AudioHook, AudioSocket; consent and channel policy."""
