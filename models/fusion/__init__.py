"""Late fusion of acute distress and abnormal growth into one risk."""
